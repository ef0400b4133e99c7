// SPDX-License-Identifier: Apache-2.0

import AgentCore
import AgentIngest
import AgentQueue
import Glibc
import Testing

@testable import AgentRuntime

/// agent.conf.example is the list of keys in print: it says what the code does, or these tests fail.
@Suite struct SettingsExampleTests {
    private static let path: String = {
        guard let resolved = realpath(#filePath, nil) else { return "" }
        defer { free(resolved) }
        let here = String(cString: resolved).split(separator: "/").dropLast(4)
        return "/" + here.joined(separator: "/") + "/agent.conf.example"
    }()

    private func example() throws -> String {
        let file = try #require(fopen(Self.path, "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        return try #require(String(validating: bytes[..<count], as: UTF8.self))
    }

    /// The text with each commented-out key and table put into force.
    private func inForce(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.hasPrefix("#") && !$0.hasPrefix("# ") ? $0.dropFirst() : $0 }
            .joined(separator: "\n")
    }

    @Test func isWhatTheSettingsSay() throws {
        #expect(
            try example() == Settings.example,
            "agent.conf.example has drifted from the settings; write Settings.example into it"
        )
    }

    @Test func asItStandsItIsTheDefaults() throws {
        #expect(try Settings.load(path: Self.path) == Settings())
    }

    @Test func itsValuesAreTheDefaults() throws {
        var wanted = Settings()
        var clicks = Settings.Stream()
        clicks.name = "clicks"
        clicks.region = wanted.aws.region
        wanted.stream = [clicks]
        #expect(try Settings.parse(inForce(try example()), file: "example") == wanted)
    }

    @Test func everyKeyIsInItOnce() throws {
        let document = try SettingsDocument(inForce(try example()))
        for key in SettingsSection.keys { #expect(document.places[key] != nil, "\(key)") }
        for key in StreamKeys.list.all { #expect(document.places["stream[0].\(key.name)"] != nil, "\(key.name)") }
    }

    /// A table that is not in the list of sections could never be set, nor a property of a table that is no setting.
    @Test func everySectionAndEachOfItsPropertiesIsListed() {
        let tables = Mirror(reflecting: Settings()).children.count - 1
        #expect(tables == Settings.sections.count, "all but [[stream]]")
        #expect(Mirror(reflecting: StreamKeys.list.keys).children.count == StreamKeys.list.all.count)
        #expect(SettingsSection.keys.count == 35 && StreamKeys.list.all.count == 8)
    }
}

@Suite struct SettingTableTests {
    @Test func aSettingIsItsDefaultUntilItIsGiven() {
        var table = SettingTable<QueueKeys>()
        #expect(table.maxBytes == 4 << 30)
        table.maxBytes = 5
        #expect(table.maxBytes == 5 && table.minFreeDisk == 256 << 20)
        #expect(table != SettingTable())
        table.maxBytes = 4 << 30
        #expect(table == SettingTable(), "given or not, a value is a value")
    }

    @Test func noneIsAValueToo() {
        var table = SettingTable<ListenKeys>()
        #expect(table.http == ListenAddress(host: "127.0.0.1", port: 8077))
        table.http = nil
        #expect(table.http == nil)
        #expect(table != SettingTable())
    }

    @Test func whatTheAgentOpensOrIsBuiltWithNeedsARestart() {
        let needed = Settings.sections.flatMap { section in section.settings.filter(\.needsRestart).map(section.key) }
        #expect(
            needed == [
                "queue.path", "listen.http", "listen.socket", "listen.control_socket", "listen.max_connections",
                "listen.memory", "delivery.workers", "delivery.memory", "aws.region", "aws.profile",
            ]
        )
        #expect(StreamKeys.list.all.allSatisfy { !$0.needsRestart })
    }

    /// A module's own default is for its tests; it is the same number.
    @Test func theModulesDefaultsAreTheSettings() {
        let settings = Settings()
        #expect(KinesisWiring(settings).deliverySettings == DeliverySettings())
        let (given, own) = (settings.queueSettings, QueueSettings(path: ""))
        #expect(given.maxBytes == own.maxBytes && given.minFreeDisk == own.minFreeDisk)
        #expect(given.whenFull == own.whenFull && given.durability == own.durability && given.maxAge == own.maxAge)
        #expect(given.maxDeadLetterBytes == own.maxDeadLetterBytes)
        let ingest = (settings.ingestSettings(connections: settings.listen.maxConnections), IngestSettings())
        func facts(_ settings: IngestSettings) -> [String] { Mirror(reflecting: settings).children.map { "\($0)" } }
        #expect(facts(ingest.0) == facts(ingest.1))
    }
}

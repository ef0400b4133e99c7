// SPDX-License-Identifier: Apache-2.0

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

    @Test func isWhatTheListOfKeysSays() throws {
        #expect(
            try example() == Settings.example,
            "agent.conf.example has drifted from SettingKey; write Settings.example into it"
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
        for key in SettingKey.all { #expect(document.places[key.name] != nil, "\(key.name)") }
        for key in SettingKey.ofStream { #expect(document.places["stream[0].\(key.name)"] != nil, "\(key.name)") }
    }

    /// A property without a key could never be set.
    @Test func everyPropertyHasAKey() {
        let settings = Settings()
        let properties = Mirror(reflecting: settings).children.filter { $0.label != "stream" }
            .reduce(0) { $0 + Mirror(reflecting: $1.value).children.count }
        #expect(properties == SettingKey.all.count)
        #expect(Mirror(reflecting: Settings.Stream()).children.count == SettingKey.ofStream.count)
    }
}

// SPDX-License-Identifier: Apache-2.0

import AgentCore
import AgentIngest
import AgentQueue
import AgentSystemd
import FoundationEssentials
import Glibc
import Testing

@testable import AgentRuntime

@Suite struct LatchTests {
    @Test func whoeverWaitsIsToldWhenItOpensAndAfterwards() async {
        let latch = Latch()
        async let waiting = latch.wait()
        #expect(!latch.isOpen)
        #expect(latch.open())
        #expect(await waiting)
        #expect(await latch.wait(until: .now))
    }

    @Test func itIsOpenedOnce() {
        let latch = Latch()
        #expect(latch.open())
        #expect(!latch.open())
    }

    @Test func waitingEndsAtTheDeadline() async {
        let latch = Latch()
        #expect(await !latch.wait(until: .now))
        latch.open()
    }
}

@Suite struct StopScheduleTests {
    @Test(arguments: [
        (Duration.seconds(10), Duration.seconds(5), Duration.seconds(9)),
        (.seconds(600), .seconds(5), .seconds(599)),
        (.seconds(4), .seconds(2), .seconds(3)),
        (.seconds(1), .milliseconds(500), .milliseconds(500)),
        (.zero, .milliseconds(100), .zero),
    ])
    func clientsAndRequestsHaveTheirTimeSideBySide(timeout: Duration, intake: Duration, requests: Duration) {
        let schedule = StopSchedule(timeout: timeout)
        #expect(schedule.intake == intake)
        #expect(schedule.requests == requests)
    }
}

@Suite struct LivenessTests {
    @Test func aPartIsSentABeatWhenItsLastCameBack() {
        var liveness = Liveness(patience: 3)
        #expect(liveness.look() == [.writer, .delivery, .intake])
        #expect(!liveness.isWhole)
        liveness.returned(.writer)
        liveness.returned(.intake)
        #expect(!liveness.isWhole)
        #expect(liveness.look() == [.writer, .intake])
        liveness.returned(.writer)
        liveness.returned(.intake)
        liveness.returned(.delivery)
        #expect(liveness.isWhole)
        #expect(liveness.look() == [.writer, .delivery, .intake])
    }

    @Test func nothingIsWholeBeforeTheFirstBeat() {
        #expect(!Liveness(patience: 3).isWhole)
    }

    @Test func aPartThatDoesNotAnswerIsStalledAfterSoManyLooksAndNoLonger() {
        var liveness = Liveness(patience: 3)
        for _ in 0..<3 {
            _ = liveness.look()
            liveness.returned(.writer)
        }
        #expect(!liveness.isStalled(.delivery))
        _ = liveness.look()
        #expect(liveness.isStalled(.delivery) && !liveness.isStalled(.writer))
        liveness.returned(.delivery)
        #expect(!liveness.isStalled(.delivery))
    }
}

@Suite struct DescriptorPlanTests {
    private func plan(_ wanted: Int, soft: Int, hard: Int, workers: Int = 8) -> DescriptorPlan {
        DescriptorPlan(wanted: wanted, workers: workers, inUse: 5, limit: DescriptorLimit(soft: soft, hard: hard))
    }

    @Test func theSoftLimitIsRaisedToWhatTheSettingsNeed() {
        let plan = plan(1024, soft: 1024, hard: 524_288)
        #expect(plan.connections == 1024)
        #expect((1024 + 256 + 100...1500).contains(plan.softLimit))
    }

    @Test func aHigherSoftLimitStays() {
        let plan = plan(1024, soft: 100_000, hard: 524_288)
        #expect(plan.softLimit == 100_000 && plan.connections == 1024)
    }

    /// With those that are only told that they are too many, clients never have the last descriptor.
    @Test(arguments: [200, 256, 300, 1024, 4096, 70_000])
    func clientsLeaveWhatTheOthersNeed(hard: Int) {
        let plan = plan(65_536, soft: min(hard, 1024), hard: hard)
        #expect(plan.softLimit == hard)
        #expect(plan.connections >= 1)
        let surplus = max(plan.connections / 4, 16)
        #expect(plan.connections + surplus + 5 + 128 <= hard)
        #expect(plan.connections > (hard - 133) * 7 / 10 - 20)
    }

    @Test func eachWorkerHasItsShare() {
        #expect(
            plan(10_000, soft: 1024, hard: 1024, workers: 64).connections
                < plan(10_000, soft: 1024, hard: 1024, workers: 1).connections
        )
    }

    @Test func aLimitThatIsTooLowForAnythingLeavesOneConnection() {
        #expect(plan(1024, soft: 64, hard: 64).connections == 1)
    }
}

@Suite struct AgentConditionTests {
    @Test(arguments: ["writer_stalled", "delivery_stalled", "queue_unavailable", "queue_tampered", "disk_full"])
    func whatKeepsItFromWorkingKeepsItFromBeingReady(code: String) {
        let condition = AgentCondition()
        #expect(condition.readiness == .ready)
        condition.raise(code, "It does not.", remedy: "Mend it.")
        #expect(condition.readiness == .notReady("It does not."))
        condition.clear(code)
        #expect(condition.readiness == .ready)
    }

    @Test func whatOnlyLimitsItDoesNot() {
        let condition = AgentCondition()
        condition.raise("descriptors_limited", "Few.", remedy: "Raise it.")
        #expect(condition.readiness == .ready)
    }

    @Test func theCodesOfStallsAreThoseThatReadinessKnows() {
        #expect(Liveness.Part.allCases.map(\.code) == ["writer_stalled", "delivery_stalled", "intake_stalled"])
    }
}

@Suite final class SocketFoldersTests {
    private let folder: String

    init() throws {
        folder = FileManager.default.temporaryDirectory.path + "/agentd-folders-\(UInt64.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func prepare(_ path: String, mayMake: Set<String>) -> String? {
        do throws(StartError) {
            try SocketFolders.prepare([("listen.socket", path)], mayMake: mayMake)
            return nil
        } catch {
            return error.description
        }
    }

    private func mode(_ path: String) -> mode_t? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o7777 : nil
    }

    @Test func theFolderOfTheDefaultsIsMadeForAllToEnter() async throws {
        #expect(prepare(folder + "/run/s", mayMake: [folder + "/run"]) == nil)
        #expect(mode(folder + "/run") == 0o755)
        #expect(SocketFolders.ofDefaults == ["/run/agentd"])
    }

    @Test func anotherFolderIsNotMadeButTheCommandIsSaid() throws {
        let message = try #require(prepare(folder + "/rum/s", mayMake: [folder + "/run"]))
        #expect(message.hasPrefix("There is no folder \(folder)/rum for listen.socket. Make it: install -d -m 0755 "))
        #expect(message.hasSuffix("\(folder)/rum"))
        #expect(mode(folder + "/rum") == nil)
    }

    @Test func aFolderThatCannotBeMadeSaysWhyAndHow() throws {
        let path = folder + "/none/run"
        let message = try #require(prepare(path + "/s", mayMake: [path]))
        #expect(message.contains("and it cannot be made (No such file or directory). Make it: install -d -m 0755 "))
    }

    @Test func aFileInItsPlaceIsLeftAlone() throws {
        #expect(FileManager.default.createFile(atPath: folder + "/run", contents: Data("x".utf8)))
        let message = try #require(prepare(folder + "/run/s", mayMake: [folder + "/run"]))
        #expect(message.hasPrefix("\(folder)/run is not a folder"))
    }

    @Test func aSocketThatIsOffNeedsNone() {
        #expect(prepare("", mayMake: []) == nil)
    }
}

@Suite struct SettingsPartsTests {
    private func ingest(_ text: String) throws -> IngestSettings {
        try Settings.parse(text, file: "test.conf").ingestSettings(connections: 7)
    }

    @Test func theDefaultStreamsRegionReachesIntake() throws {
        let there = try ingest(
            "[streams]\ndefault = 'clicks@eu-west-1'\n[[stream]]\nname = 'clicks'\nregion = 'eu-west-1'"
        )
        #expect(there.defaultStream == StreamReference(name: "clicks", region: "eu-west-1"))
        let here = try ingest("[streams]\ndefault = 'clicks'\n[[stream]]\nname = 'clicks'")
        #expect(here.defaultStream == StreamReference(name: "clicks"))
        let none = try ingest("")
        #expect(none.defaultStream == nil)
    }

    @Test func intakeHasTheConnectionsThatThereAreDescriptorsFor() throws {
        #expect(try ingest("").maxConnections == 7)
    }
}

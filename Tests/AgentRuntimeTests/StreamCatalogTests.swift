// SPDX-License-Identifier: Apache-2.0
import AgentCore
import AgentQueue
import FoundationEssentials
import Synchronization
import Testing

@testable import AgentRuntime

@Suite final class StreamCatalogTests {
    private let folder: String
    private let store: EventQueue
    private let introduced = Introduced()

    private final class Introduced: Sendable {
        let destinations = Mutex<[Destination]>([])
    }

    init() throws {
        folder = FileManager.default.temporaryDirectory.path + "/agentd-catalog-\(UInt64.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        store = try EventQueue.open(QueueSettings(path: folder + "/queue.db"))
    }

    deinit {
        store.close()
        try? FileManager.default.removeItem(atPath: folder)
    }

    private func catalog(_ text: String) throws -> StreamCatalog {
        StreamCatalog(
            settings: try Settings.parse(text, file: "test.conf"),
            store: store,
            introduce: { [introduced] _, destination in introduced.destinations.withLock { $0.append(destination) } },
            isDelivering: { _ in true }
        )
    }

    private static let listed = """
        [aws]
        region = "eu-central-1"
        [[stream]]
        name = "clicks"
        partition_key = "/user"
        max_record_bytes = "2 MiB"
        [[stream]]
        name = "clicks"
        region = "us-east-1"
        """

    @Test func aListedStreamIsFoundInItsRegion() throws {
        let catalog = try catalog(Self.listed)
        let here = try catalog.target(stream: "clicks", region: nil)
        #expect(here.destination == Destination(region: "eu-central-1", stream: "clicks"))
        #expect(here.maxRecordBytes == 2 << 20)
        #expect(here.partitionKeyPointer == JSONPointer("/user"))
        let there = try catalog.target(stream: "clicks", region: "us-east-1")
        #expect(there.id != here.id)
        #expect(there.partitionKeyPointer == nil)
    }

    @Test func aStreamThatIsNotListedIsRefusedWithTheNearestName() throws {
        let catalog = try catalog(Self.listed)
        #expect(throws: StreamRefusal.notListed(stream: "click", region: "eu-central-1", nearest: "clicks")) {
            try catalog.target(stream: "click", region: nil)
        }
        #expect(throws: StreamRefusal.invalidName("a b")) { try catalog.target(stream: "a b", region: nil) }
    }

    @Test func aStreamListedForAnotherRegionIsNamedWithThat() throws {
        let catalog = try catalog(Self.listed)
        #expect(
            throws: StreamRefusal.notListed(stream: "clicks", region: "us-west-2", nearest: "clicks@eu-central-1")
        ) {
            try catalog.target(stream: "clicks", region: "us-west-2")
        }
    }

    @Test func sharesOfTheQueueReachItAlsoForStreamsThatItHad() async throws {
        let streams = (0..<20).map { "[[stream]]\nname = \"s\($0)\"\nmax_bytes = \"\($0 + 1) MiB\"\n" }
        for round in 0..<2 {
            let catalog = try catalog(streams.joined())
            for number in 0..<20 {
                let target = try catalog.target(stream: "s\(number)", region: nil)
                let receiver = Receiver()
                let event = NewEvent(destination: target.id, key: .none, data: Payload(Array("x".utf8)))
                store.append([AppendRequest(events: [event], token: 0, receiver: receiver)])
                await receiver.answered.wait()
            }
            let limits = store.snapshot().streams.map { Int($0.maxBytes) }.sorted()
            #expect(limits == (1...20).map { $0 << 20 }, "round \(round)")
        }
    }

    private final class Receiver: AppendReceiver {
        let answered = Latch()
        func appended(_ answers: [AppendAnswer]) { answered.open() }
        func delivered(_ notices: [DeliveryNotice]) {}
    }

    @Test func anyStreamIsAcceptedUpToTheLimitAndIntroducedOnce() throws {
        let catalog = try catalog("[streams]\naccept = \"any\"\nmax_destinations = 2\n")
        let first = try catalog.target(stream: "a", region: nil)
        #expect(try catalog.target(stream: "a", region: nil).id == first.id)
        _ = try catalog.target(stream: "b", region: "eu-west-1")
        #expect(introduced.destinations.withLock { $0.map(\.stream) } == ["a", "b"])
        #expect(throws: StreamRefusal.tooMany(limit: 2)) { try catalog.target(stream: "c", region: nil) }
    }

    @Test(arguments: ["x@127.0.0.1:9/", "evil.example.com/x", "us-east-1\r\nX-Evil: 1", "a b", ""])
    func whatIsNoRegionIsRefusedWhereverItIsNamed(_ region: String) throws {
        for text in [
            "[streams]\naccept = 'any'\n", "[aws]\nendpoint = 'http://127.0.0.1:1'\n[streams]\naccept = 'any'\n",
            Self.listed,
        ] {
            #expect(throws: StreamRefusal.invalidRegion(region, nearest: nil)) {
                try catalog(text).target(stream: "clicks", region: region)
            }
        }
        #expect(introduced.destinations.withLock { $0.isEmpty })
    }

    @Test func aRegionThatAWSHasNotNeedsAnEndpoint() throws {
        #expect(throws: StreamRefusal.invalidRegion("eu-cental-1", nearest: "eu-central-1")) {
            try catalog("[streams]\naccept = 'any'\n").target(stream: "clicks", region: "eu-cental-1")
        }
        let own = try catalog("[aws]\nendpoint = 'http://127.0.0.1:1'\n[streams]\naccept = 'any'\n")
        #expect(try own.target(stream: "clicks", region: "eu-cental-1").destination.region == "eu-cental-1")
    }
}

// SPDX-License-Identifier: Apache-2.0
import AgentControl
import AgentQueue
import FoundationEssentials
import Synchronization
import Testing

@testable import AgentCore
@testable import AgentRuntime

@Suite final class StatusAssemblyTests {
    private let folder: String
    private let store: EventQueue

    init() throws {
        folder = FileManager.default.temporaryDirectory.path + "/agentd-status-\(UInt64.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        store = try EventQueue.open(QueueSettings(path: folder + "/queue.db"))
    }

    deinit {
        store.close()
        try? FileManager.default.removeItem(atPath: folder)
    }

    private final class Receiver: AppendReceiver {
        let isStored = Mutex(false)

        func appended(_ answers: [AppendAnswer]) { isStored.withLock { $0 = true } }
        func delivered(_ notices: [DeliveryNotice]) {}
    }

    private func append(_ stream: String) async -> DestinationID {
        let id = store.destination(for: Destination(region: "us-east-1", stream: stream))
        let receiver = Receiver()
        let event = NewEvent(destination: id, key: .none, data: Payload("x"))
        store.append([AppendRequest(events: [event], token: 1, receiver: receiver)])
        while !receiver.isStored.withLock({ $0 }) { await Task.yield() }
        return id
    }

    private func status(_ id: DestinationID, _ stream: String, parkedBecause: String? = nil) -> DestinationStatus {
        DestinationStatus(
            id: id,
            destination: Destination(region: "us-east-1", stream: stream),
            state: parkedBecause == nil ? .backingOff : .parked,
            limitedBy: nil,
            inFlight: 0,
            retries: 3,
            throttled: 0,
            lastFault: nil,
            parkedBecause: parkedBecause
        )
    }

    private func assembly(_ delivery: [DestinationStatus]) -> StatusAssembly {
        StatusAssembly(snapshot: store.snapshot(), delivery: delivery, asked: (.zero, Date()))
    }

    /// A destination that delivery got to know after it was asked has events in the queue's snapshot already.
    @Test func whatStreamsHaveQueuedIsWhatTheQueueHas() async {
        let old = await append("clicks")
        _ = await append("orders")
        let report = assembly([status(old, "clicks")])
        #expect(report.queue.events == 2)
        #expect(report.streams.map(\.name) == ["clicks", "orders"])
        #expect(report.streams.map(\.queuedEvents) == [1, 1])
        #expect(report.streams.map(\.state) == [.backingOff, .ok])
    }

    @Test func aStreamThatLeftTheConfigurationIsListedWhileSomethingOfItIsLeft() async {
        let left = await append("clicks")
        let gone = store.destination(for: Destination(region: "us-east-1", stream: "orders"))
        let report = assembly([
            status(left, "clicks", parkedBecause: "Not configured."),
            status(gone, "orders", parkedBecause: "Not configured."),
        ])
        #expect(report.streams.map(\.name) == ["clicks"])
        #expect(report.streams.first?.lastError?.code == "not_configured")
    }
}

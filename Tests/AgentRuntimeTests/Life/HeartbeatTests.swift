// SPDX-License-Identifier: Apache-2.0

import AgentControl
import AgentCore
import AgentIngest
import AgentQueue
import AgentSystemd
import Dispatch
import FoundationEssentials
import Glibc
import Logging
import Testing

@testable import AgentRuntime

private final class IdleSender: RecordSender {
    let cancellation = SendCancellation()
    func send(_ request: OutgoingRequest) -> SendOutcome { preconditionFailure("there is nothing to send") }
}

@Suite final class HeartbeatTests {
    private let folder: String
    private let store: EventQueue
    private let delivery: DeliveryLoop
    private let condition = AgentCondition()
    private let heartbeat: Heartbeat
    /// The log's two ends.
    private let log: (reader: CInt, writer: CInt)
    private let logBuffer: LogBuffer
    /// Stands for the event loops.
    private let intake = DispatchQueue(label: "intake")

    init() throws {
        folder = FileManager.default.temporaryDirectory.path + "/agentd-heartbeat-\(UInt64.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        store = try EventQueue.open(QueueSettings(path: folder + "/queue.db"))
        delivery = DeliveryLoop(
            machine: DeliveryMachine(settings: DeliverySettings(), seed: 1),
            store: store,
            workers: WorkerPool(count: 1) { IdleSender() },
            report: { _ in }
        )
        var ends: [CInt] = [0, 0]
        try #require(pipe(&ends) == 0)
        log = (ends[0], ends[1])
        logBuffer = LogBuffer(LogOutput(descriptor: log.writer), maxBytes: 100)
        heartbeat = Heartbeat(
            notifier: Notifier(),
            delivery: delivery,
            store: store,
            intake: { [intake] reply in intake.async(execute: reply) },
            condition: condition,
            log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            logBuffer: logBuffer,
            every: .milliseconds(1),
            patience: .milliseconds(20)
        )
        heartbeat.start()
    }

    deinit {
        heartbeat.stop()
        store.close()
        close(log.reader)
        try? FileManager.default.removeItem(atPath: folder)
    }

    private var isReady: Bool { condition.readiness == .ready }

    private func become(ready: Bool) async throws { try await until { isReady == ready } }

    /// Ends with the test's time limit.
    private func until(_ condition: () -> Bool) async throws {
        while !condition() {
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    private var problems: [String] { condition.report(snapshot: store.snapshot()).problems.map(\.code) }

    @Test(.timeLimit(.minutes(1))) func aLogThatNobodyReadsIsAProblemUntilItIsRead() async throws {
        var block = [UInt8](repeating: UInt8(ascii: "."), count: 4096)
        _ = fcntl(log.writer, F_SETFL, O_NONBLOCK)
        while write(log.writer, block, block.count) > 0 {}
        while !logBuffer.isDropping { logBuffer.append(String(repeating: ".", count: 99)) }
        try await until { problems.contains("log_stuck") }
        _ = fcntl(log.reader, F_SETFL, O_NONBLOCK)
        while !logBuffer.flush(within: .milliseconds(1)) { _ = read(log.reader, &block, block.count) }
        try await until { !problems.contains("log_stuck") }
    }

    @Test(.timeLimit(.minutes(1))) func anAgentWhoseWriterHangsIsNotReadyUntilItGetsOn() async throws {
        let hang = DispatchSemaphore(value: 0)
        defer { hang.signal() }
        store.beat { hang.wait() }
        try await become(ready: false)
        #expect(problems.contains("writer_stalled"))
        hang.signal()
        try await become(ready: true)
    }

    @Test(.timeLimit(.minutes(1))) func anAgentWhoseIntakeHangsIsNotReadyUntilItGetsOn() async throws {
        let hang = DispatchSemaphore(value: 0)
        defer { hang.signal() }
        intake.async { hang.wait() }
        try await become(ready: false)
        #expect(problems.contains("intake_stalled"))
        hang.signal()
        try await become(ready: true)
    }

    @Test(.timeLimit(.minutes(1))) func anIntakeThatEndsIsNotMissedWhileTheAgentStops() async throws {
        let hang = DispatchSemaphore(value: 0)
        defer { hang.signal() }
        intake.async { hang.wait() }
        try await become(ready: false)
        heartbeat.stopping()
        try await become(ready: true)
        try await Task.sleep(for: .milliseconds(50))
        #expect(isReady)
    }

    @Test(.timeLimit(.minutes(1))) func anAgentWhoseDeliveryHangsIsNotReadyUntilItGetsOn() async throws {
        let hang = DispatchSemaphore(value: 0)
        defer { hang.signal() }
        delivery.call { _, _ in hang.wait() }
        try await become(ready: false)
        #expect(problems.contains("delivery_stalled"))
        hang.signal()
        try await become(ready: true)
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import Dispatch
internal import Synchronization

/// The workers that make requests: each has a serial queue, and a sender with a kept connection, of its own.
///
/// (Blocking calls on a concurrent queue would make Dispatch start thread after thread.)
final class WorkerPool: Sendable {
    typealias Finish = @Sendable (_ batch: Batch, _ outcome: SendOutcome) -> Void

    private let workers: [Worker]
    private let free: Mutex<[Int]>
    private let busy: Mutex<[AttemptID: Int]> = Mutex([:])

    /// - Parameter makeSender: Called once for each worker.
    init(count: Int, makeSender: () -> any RecordSender) {
        workers = (0..<count).map { Worker(name: "agentd.worker.\($0)", sender: makeSender()) }
        free = Mutex(Array((0..<count).reversed()))
    }

    /// Makes the request on a free worker; `finish` is called on the worker's queue. The machine never asks for more
    /// requests at once than there are workers.
    func send(_ batch: Batch, finish: @escaping Finish) {
        guard let index = free.withLock({ $0.popLast() }) else {
            preconditionFailure("more requests than workers")
        }
        busy.withLock { $0[batch.attempt] = index }
        workers[index].send(batch.request) { [self] outcome in
            // Free before the machine hears of it: it may want the worker at once.
            busy.withLock { $0[batch.attempt] = nil }
            free.withLock { $0.append(index) }
            finish(batch, outcome)
        }
    }

    /// Ends the request, if it is still under way and no byte of it moves.
    func cancelStalled(_ attempt: AttemptID) {
        if let index = busy.withLock({ $0[attempt] }) { workers[index].cancellation.cancelIfStalled() }
    }

    /// Ends every request, and lets no other begin.
    func cancelAll() {
        for worker in workers { worker.cancellation.cancel() }
    }
}

// `queue` guards `sender`, which is used on it only.
private final class Worker: @unchecked Sendable {
    let cancellation: SendCancellation
    private let queue: DispatchQueue
    private let sender: any RecordSender

    init(name: String, sender: any RecordSender) {
        queue = DispatchQueue(label: name)
        cancellation = sender.cancellation
        self.sender = sender
    }

    func send(_ request: OutgoingRequest, finish: @escaping @Sendable (SendOutcome) -> Void) {
        queue.async { [self] in finish(sender.send(request)) }
    }
}

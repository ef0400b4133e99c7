// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Dispatch
import Synchronization

/// Reads the file, beside the writer.
// SAFETY: `connection` and `metDamage` are touched on `queue` only.
final class Reader: @unchecked Sendable {
    private let queue = DispatchQueue(label: "agentd.queue.reader", qos: .userInitiated)
    private var connection: ReadConnection?
    private var metDamage: (@Sendable (QueueError, _ opening: Int) -> Void)?
    private let openings = Atomic(0)

    /// - Parameter body: called on the reader's queue when the file turns out to be damaged.
    func onDamage(_ body: @escaping @Sendable (QueueError, _ opening: Int) -> Void) {
        queue.sync { metDamage = body }
    }

    /// Opens the file; waits for the queue.
    func open(_ settings: QueueSettings) throws(QueueError) {
        let result = queue.sync { () -> Result<Void, QueueError> in
            do throws(QueueError) {
                openings.add(1, ordering: .relaxed)
                connection = try ReadConnection(settings)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// Whether the file has not been opened again since that opening.
    func isCurrent(_ opening: Int) -> Bool { openings.load(ordering: .relaxed) == opening }

    /// Closes the file; waits for the reads that were asked for before.
    func close() { queue.sync { connection = nil } }

    /// Any thread. `reply` is called on the reader's queue.
    func read<R>(
        _ body: @escaping @Sendable (ReadConnection) throws(QueueError) -> R,
        reply: @escaping @Sendable (Result<R, QueueError>) -> Void
    ) {
        queue.async {
            guard let connection = self.connection else {
                return reply(.failure(.unavailable(reason: "it is closed, or being opened again")))
            }
            do throws(QueueError) {
                reply(.success(try body(connection)))
            } catch {
                if case .damaged = error { self.metDamage?(error, self.openings.load(ordering: .relaxed)) }
                reply(.failure(error))
            }
        }
    }
}

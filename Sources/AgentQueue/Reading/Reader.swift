// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Dispatch

/// Reads the file, beside the writer.
// SAFETY: `connection` is touched on `queue` only.
final class Reader: @unchecked Sendable {
    private let queue = DispatchQueue(label: "agentd.queue.reader", qos: .userInitiated)
    private var connection: ReadConnection?

    /// Opens the file; waits for the queue.
    func open(_ settings: QueueSettings) throws(QueueError) {
        let result = queue.sync { () -> Result<Void, QueueError> in
            do throws(QueueError) {
                connection = try ReadConnection(settings)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

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
                reply(.failure(error))
            }
        }
    }
}

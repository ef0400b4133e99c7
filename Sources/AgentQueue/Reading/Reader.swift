// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Dispatch
import Synchronization

/// Reads the file, beside the writer.
// SAFETY: `connection`, `metDamage` and `failed` are touched on `queue` only.
final class Reader: @unchecked Sendable {
    private let queue = DispatchQueue(label: "agentd.queue.reader")
    private var connection: ReadConnection?
    private var metDamage: (@Sendable (QueueError, _ opening: Int) -> Void)?
    private var couldRead: (@Sendable (DestinationID, QueueError?) -> Void)?
    /// Destinations that the disk did not give events of.
    private var failed: Set<DestinationID> = []
    private let openings = Atomic(0)

    /// - Parameter body: called on the reader's queue when the file turns out to be damaged.
    func onDamage(_ body: @escaping @Sendable (QueueError, _ opening: Int) -> Void) {
        queue.sync { metDamage = body }
    }

    /// - Parameter body: called on the reader's queue each time the disk does not give a destination's events, and
    ///   without an error when it does again.
    func onRead(_ body: @escaping @Sendable (DestinationID, QueueError?) -> Void) {
        queue.sync { couldRead = body }
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
    ///
    /// - Parameter id: whose events are read, where they are one destination's.
    func read<R>(
        of id: DestinationID? = nil,
        _ body: @escaping @Sendable (ReadConnection) throws(QueueError) -> R,
        reply: @escaping @Sendable (Result<R, QueueError>) -> Void
    ) {
        queue.async {
            guard let connection = self.connection else {
                return reply(.failure(.unavailable(reason: "it is closed, or being opened again")))
            }
            do throws(QueueError) {
                let result = try body(connection)
                if let id, self.failed.remove(id) != nil { self.couldRead?(id, nil) }
                reply(.success(result))
            } catch {
                if let id, case .unreadable = error {
                    self.failed.insert(id)
                    self.couldRead?(id, error)
                }
                if case .damaged = error { self.metDamage?(error, self.openings.load(ordering: .relaxed)) }
                reply(.failure(error))
            }
        }
    }
}

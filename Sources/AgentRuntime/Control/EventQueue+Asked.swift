// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentQueue

extension EventQueue {
    /// What the queue answers, as operators are told.
    func asked<Value: Sendable>(
        _ ask: (@escaping @Sendable (Result<Value, QueueError>) -> Void) -> Void
    ) async throws(ControlError) -> Value {
        let result = await withCheckedContinuation { continuation in
            ask { continuation.resume(returning: $0) }
        }
        do throws(QueueError) {
            return try result.get()
        } catch {
            throw ControlError(.failed, "\(error)")
        }
    }
}

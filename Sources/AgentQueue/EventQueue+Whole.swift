// SPDX-License-Identifier: Apache-2.0
public import AgentCore
import Dispatch

extension EventQueue {
    /// Calls `reply` on the writer's queue, when its turn comes: a writer that hangs in the disk does not answer.
    public func beat(_ reply: @escaping @Sendable () -> Void) {
        writer.queue.async(execute: reply)
    }

    /// Sets the shares of many destinations at once, as ``setLimit(_:of:)`` does for one.
    public func setLimits(_ limits: [DestinationID: Int64]) {
        if limits.isEmpty { return }
        for (id, maxBytes) in limits { writer.registry.setLimit(maxBytes, of: id) }
        let writer = writer
        writer.queue.async {
            for (id, maxBytes) in limits {
                if let position = writer.ledger.position(of: id) { writer.ledger.setLimit(maxBytes, at: position) }
            }
            writer.publish()
        }
    }
}

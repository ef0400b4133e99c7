// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// Requests that come again, because their sender did not hear what became of them.
extension Writer {
    /// What a sender is told in the place of a shard, of an event whose delivery was not kept in mind.
    private static let unknownShard = "buffered"

    /// Answers a request that was kept before; `false`: it was not.
    ///
    /// Whether it was is in the same file and transaction as its events: what a commit or a crash takes back of the one,
    /// it takes back of the other.
    func answerAgain(
        _ request: AppendRequest,
        _ identity: RequestIdentity,
        _ now: Int64,
        _ draft: inout Draft,
        _ file: WriteConnection
    ) throws(QueueError) -> Bool {
        let window = machine.settings.idempotencyWindowMS
        guard let receipt = try file.receiptTable().find(identity.name, after: now - window) else { return false }
        guard receipt.content == identity.content, receipt.count == request.events.count else {
            turnAway(request, .keyReused)
            draft.refuse(request, .keyReused)
            return true
        }
        draft.answerAgain(request, first: receipt.first)
        guard request.awaitsDelivery else { return true }
        for (offset, event) in request.events.enumerated() {
            let id = EventID(receipt.first.rawValue + Int64(offset))
            if let outcome = try known(id, of: event.destination, file) {
                draft.tell(DeliveryNotice(token: request.token, id: id, outcome: outcome), to: request.receiver)
            } else {
                draft.wait(for: id, of: event.destination, request)
            }
        }
        return true
    }

    /// What became of an event; `nil`: it is in the queue.
    private func known(_ id: EventID, of destination: DestinationID, _ file: WriteConnection) throws(QueueError)
        -> DeliveryNotice.Outcome?
    {
        let position = position(of: destination)
        if ledger.accounts[position].isStored, try file.table(destination).contains(id) { return nil }
        if let (code, reason) = try file.deadLetterTable().cause(id) {
            return .deadLettered(code: code, reason: reason)
        }
        if let through = droppedThrough[destination], id <= through { return .dropped }
        return .delivered(sequenceNumber: "\(id.rawValue)", shard: Self.unknownShard)
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentCore
internal import AgentQueue

extension ControlService {
    func purgeDeadLetters(_ request: PurgeDeadLettersRequest, reply: @escaping ControlReply<PurgeStep>) {
        let purging = Purging(
            store: store,
            olderThanMS: Int64(request.olderThanSeconds * 1000),
            isDryRun: request.dryRun
        )
        var id: DestinationID?
        switch request.which {
        case .ids(let ids):
            return finish(reply) { () async throws(ControlError) in try await purging.step(ids) }
        case .stream(let stream):
            guard let found = destination(stream, reply) else { return }
            id = found
        case .all: break
        }
        let through = request.through > 0 ? EventID(request.through) : store.snapshot().lastID
        finish(reply) { [id] () async throws(ControlError) in
            try await purging.step(of: id, after: EventID(request.after), through: through)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentCore
internal import AgentQueue

extension ControlService {
    func requeue(_ request: RequeueRequest, reply: @escaping ControlReply<RequeueStep>) {
        let requeuing = Requeuing(store: store)
        switch request.which {
        case .ids(let ids):
            finish(reply) { () async throws(ControlError) in
                try await requeuing.step(ids, dryRun: request.dryRun)
            }
        case .stream(let stream):
            guard let id = destination(stream, reply) else { return }
            let snapshot = store.snapshot()
            if request.dryRun {
                let totals = snapshot.streams.first { $0.id == id }?.totals ?? QueueTotals()
                var step = RequeueStep()
                step.events = Int(clamping: totals.deadEvents)
                step.bytes = Int(clamping: totals.deadBytes - totals.deadEvents * QueueTotals.eventOverhead)
                return reply(.success(step))
            }
            let through = request.through > 0 ? EventID(request.through) : snapshot.lastID
            finish(reply) { () async throws(ControlError) in
                try await requeuing.step(of: id, after: EventID(request.after), through: through)
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentCore
internal import AgentQueue

extension ControlService {
    func peek(_ request: PeekRequest, reply: @escaping ControlReply<[EventReport]>) {
        guard let id = destination(request.stream, reply) else { return }
        let load = LoadRequest(
            destination: id,
            what: .scan(after: EventID(request.after), skipping: LaneSet(), only: nil),
            maxEvents: max(1, request.limit),
            maxBytes: max(1, request.maxBytes)
        )
        store.load(load) { [store] result in
            let now = store.agentNowMS
            reply(result.map { $0.events.map { Self.report($0, now: now) } }.mapError(Self.error))
        }
    }
}

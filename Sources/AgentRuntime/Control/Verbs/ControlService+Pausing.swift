// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentCore
internal import AgentQueue

extension ControlService {
    func pause(_ request: PauseRequest, reply: @escaping ControlReply<PauseReport>) {
        setPaused(true, request.stream, reply)
    }

    func resume(_ request: ResumeRequest, reply: @escaping ControlReply<PauseReport>) {
        setPaused(false, request.stream, reply)
    }

    private func setPaused(_ paused: Bool, _ stream: StreamReference, _ reply: @escaping ControlReply<PauseReport>) {
        guard let id = destination(stream, reply) else { return }
        store.setPaused(paused, id) { [store, delivery] result in
            if case .failure(let error) = result { return reply(.failure(Self.error(error))) }
            delivery.call { machine, _ in
                if paused { machine.paused(id) } else { machine.resumed(id) }
            }
            let found = store.snapshot().streams.first { $0.id == id }
            reply(
                .success(
                    PauseReport(
                        name: stream.name,
                        region: found?.destination.region ?? stream.region ?? "",
                        paused: paused,
                        queuedEvents: Int(found?.totals.queuedEvents ?? 0)
                    )
                )
            )
        }
    }
}

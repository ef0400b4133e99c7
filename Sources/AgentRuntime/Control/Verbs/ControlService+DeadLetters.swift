// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentCore
internal import AgentQueue

extension ControlService {
    func deadLetters(_ query: DeadLetterQuery, reply: @escaping ControlReply<[DeadLetterReport]>) {
        var id: DestinationID?
        if let stream = query.stream {
            guard let found = destination(stream, reply) else { return }
            id = found
        }
        let names = names
        store.deadLetters(of: id, after: EventID(query.after), limit: query.limit) { [store] result in
            let now = store.agentNowMS
            var bytes = 0
            let reports = result.map { letters in
                letters.prefix { letter in
                    defer { bytes += letter.event.data.count }
                    return bytes < query.maxBytes
                }.map { Self.report($0, names: names, now: now) }
            }
            reply(reports.mapError(Self.error))
        }
    }

    func deadLetter(_ request: DeadLetterRequest, reply: @escaping ControlReply<DeadLetterReport>) {
        let names = names
        store.deadLetter(EventID(request.id)) { [store] result in
            switch result {
            case .success(let letter?): reply(.success(Self.report(letter, names: names, now: store.agentNowMS)))
            case .success(nil): reply(.failure(ControlError(.notFound, "There is no dead letter \(request.id).")))
            case .failure(let error): reply(.failure(Self.error(error)))
            }
        }
    }
}

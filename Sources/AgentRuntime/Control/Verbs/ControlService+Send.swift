// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentCore
internal import AgentQueue
internal import Synchronization

extension ControlService {
    func send(_ request: SendRequest, reply: @escaping ControlReply<SendReport>) {
        let target: StreamTarget
        do throws(StreamRefusal) {
            target = try catalog.target(stream: request.stream.name, region: request.stream.region)
        } catch {
            return reply(.failure(ControlError(.noSuchStream, "\(error)")))
        }
        // The reader checked the keys.
        for (number, event) in request.events.enumerated() where request.isJSON {
            do throws(JSONFault) {
                try event.withUnsafeBytes { (text) throws(JSONFault) in try JSON.validate(text) }
            } catch {
                return reply(.failure(ControlError(.refused, "Event \(number + 1) is not JSON: \(error).")))
            }
        }
        var events: [NewEvent] = []
        for (number, event) in request.events.enumerated() {
            let key = request.keys.count == 1 ? request.keys[0] : request.keys[number]
            guard event.count + max(1, key.bytes) <= target.maxRecordBytes else {
                let message =
                    "Event \(number + 1) and its key are \(event.count + key.bytes) bytes; \(request.stream) takes "
                    + "\(target.maxRecordBytes)."
                return reply(.failure(ControlError(.refused, message)))
            }
            events.append(NewEvent(destination: target.id, key: key, data: event))
        }
        store.append([sent.request(events, reply)])
    }
}

/// Takes the queue's answers to what operators send.
final class SendAnswers: AppendReceiver {
    private struct Waiting {
        var replies: [UInt64: (count: Int, reply: ControlReply<SendReport>)] = [:]
        var next: UInt64 = 0
    }

    private let waiting = Mutex(Waiting())

    func request(_ events: [NewEvent], _ reply: @escaping ControlReply<SendReport>) -> AppendRequest {
        let token = waiting.withLock { waiting in
            waiting.next += 1
            waiting.replies[waiting.next] = (events.count, reply)
            return waiting.next
        }
        return AppendRequest(events: events, token: token, receiver: self)
    }

    func appended(_ answers: [AppendAnswer]) {
        for answer in answers {
            guard let (count, reply) = waiting.withLock({ $0.replies.removeValue(forKey: answer.token) }) else {
                continue
            }
            switch answer.outcome {
            case .stored(let first), .repeated(let first):
                reply(.success(SendReport(accepted: count, firstID: first.rawValue)))
            case .refused(let refusal): reply(.failure(ControlError(.refused, "\(refusal)")))
            }
        }
    }

    func delivered(_ notices: [DeliveryNotice]) {}
}

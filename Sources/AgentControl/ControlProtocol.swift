// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials

// What agentd and agentctl say to each other over the control socket.
//
// A connection carries requests and their answers in turn. Each is one line of JSON, ended by "\n":
//
//     → {"v":1,"verb":"peek","with":{"stream":"clicks@us-east-1","limit":10,…}}
//     ← {"v":1,"ok":[{"id":17,…}]}
//     ← {"v":1,"error":{"code":"no_such_stream","message":"…"}}
//
// - Names are snake_case with their units, as in agentctl's --json output, which prints the answers as they are.
// - Keys are only ever added within a version. What a reader does not know, it ignores.
// - A request is at most 16 MiB; the socket is for operators, so an answer has no bound but what the request asks for.
// - Who may connect is decided by the socket file's owner, group and mode.
// - Closing the connection abandons the answer, not what was asked for: a flush goes on.
enum ControlProtocol {
    static let version = 1
    static let maxRequestBytes = 16 << 20

    static func encode(_ request: ControlRequest) throws -> [UInt8] {
        switch request {
        case .status: try line(Request(verb: .status, with: Nothing()))
        case .peek(let with): try line(Request(verb: .peek, with: with))
        case .send(let with): try line(Request(verb: .send, with: with))
        case .flush(let with): try line(Request(verb: .flush, with: with))
        case .pause(let with): try line(Request(verb: .pause, with: StreamArgument(stream: with)))
        case .resume(let with): try line(Request(verb: .resume, with: StreamArgument(stream: with)))
        case .deadLetters(let with): try line(Request(verb: .deadLetters, with: with))
        case .deadLetter(let id): try line(Request(verb: .deadLetter, with: IDArgument(id: id)))
        case .requeue(let with): try line(Request(verb: .requeue, with: with))
        }
    }

    static func decodeRequest(_ line: [UInt8]) throws(ControlError) -> ControlRequest {
        let data = Data(line)
        guard let head = try? decoder.decode(Head.self, from: data) else {
            throw ControlError(.badRequest, "This is not a line of agentctl's protocol.")
        }
        guard head.v == version else {
            throw ControlError(
                .badRequest,
                "Version \(head.v) was asked for, and this agentd speaks version \(version)."
            )
        }
        guard let verb = Verb(rawValue: head.verb) else {
            throw ControlError(.badRequest, "This agentd does not know the verb '\(head.verb)'; it may be older.")
        }
        func with<Arguments: Decodable>(_: Arguments.Type = Arguments.self) throws(ControlError) -> Arguments {
            do {
                return try decoder.decode(Body<Arguments>.self, from: data).with
            } catch {
                throw ControlError(.badRequest, "The arguments of '\(head.verb)' are malformed.")
            }
        }
        return switch verb {
        case .status: .status
        case .peek: .peek(try with())
        case .send: .send(try with())
        case .flush: .flush(try with())
        case .pause: .pause(try with(StreamArgument.self).stream)
        case .resume: .resume(try with(StreamArgument.self).stream)
        case .deadLetters: .deadLetters(try with())
        case .deadLetter: .deadLetter(id: try with(IDArgument.self).id)
        case .requeue: .requeue(try with())
        }
    }

    static func encode(_ answer: Result<some Encodable, ControlError>) -> [UInt8] {
        do {
            switch answer {
            case .success(let value): return try line(Success(ok: value))
            case .failure(let error): return try line(Failure(error: error))
            }
        } catch {
            let failed = ControlError(.failed, "The answer could not be written: \(error)")
            return (try? line(Failure(error: failed))) ?? []
        }
    }

    static func decodeAnswer<Value: Decodable>(_ line: [UInt8]) throws -> Result<Value, ControlError> {
        let data = Data(line)
        if let failure = try? decoder.decode(Failure.self, from: data) { return .failure(failure.error) }
        return .success(try decoder.decode(Success<Value>.self, from: data).ok)
    }

    // MARK: Lines

    private enum Verb: String, Encodable {
        case status, peek, send, flush, pause, resume, requeue
        case deadLetters = "dead_letters"
        case deadLetter = "dead_letter"
    }

    private struct Head: Decodable {
        let v: Int
        let verb: String
    }

    private struct Body<Arguments: Decodable>: Decodable { let with: Arguments }

    private struct Request<Arguments: Encodable>: Encodable {
        var v = version
        let verb: Verb
        let with: Arguments
    }

    fileprivate struct Success<Value> {
        var v = version
        let ok: Value
    }

    private struct Failure: Codable {
        var v = version
        let error: ControlError
    }

    private struct Nothing: Codable {}
    private struct StreamArgument: Codable { let stream: StreamReference }
    private struct IDArgument: Codable { let id: Int64 }

    private static func line(_ value: some Encodable) throws -> [UInt8] {
        [UInt8](try encoder.encode(value)) + [UInt8(ascii: "\n")]
    }

    private static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    private static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return decoder
    }
}

extension ControlProtocol.Success: Encodable where Value: Encodable {}
extension ControlProtocol.Success: Decodable where Value: Decodable {}

/// The JSON that `agentctl --json` prints, with the names of the protocol, in a stable order.
///
/// - Parameter pretty: over several lines; otherwise all on one.
public func controlJSON(_ value: some Encodable, pretty: Bool) throws -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
    return String(decoding: try encoder.encode(value), as: UTF8.self)
}

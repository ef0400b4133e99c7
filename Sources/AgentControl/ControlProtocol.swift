// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
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
// - A request is at most 16 MiB, and its numbers are within ControlLimits; an answer is as long as what it was asked for.
// - Who may connect is decided by the socket file's owner, group and mode.
// - Closing the connection abandons the answer, not what was asked for; only the wait of a flush ends with it.
enum ControlProtocol {
    static let version = 1
    static let maxRequestBytes = 16 << 20

    static func encode<Verb: ControlVerb>(_ request: Verb) throws -> [UInt8] {
        try line(Request(verb: Verb.verb, with: request))
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

    /// Whether a line is what the ingest socket says of one that is no event.
    static func isOfIngest(_ line: [UInt8]) -> Bool {
        struct Refusal: Decodable {
            let line: Int
            let error: String
        }
        return line.starts(with: Array("HTTP/1.".utf8)) || (try? decoder.decode(Refusal.self, from: Data(line))) != nil
    }

    /// What is wrong with an answer, in words.
    static func reason(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        func place(_ context: DecodingError.Context, _ last: [any CodingKey] = []) -> String {
            let path = (context.codingPath + last).map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }
            return path.isEmpty ? "it" : "'\(path.joined(separator: "."))'"
        }
        return switch error {
        case .keyNotFound(let key, let context): "\(place(context, [key])) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            "\(place(context)) is not as it should be"
        @unknown default: "\(error)"
        }
    }

    // MARK: Lines

    private struct Request<Arguments: Encodable>: Encodable {
        var v = version
        let verb: String
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

/// Reads what ``controlJSON(_:pretty:)`` writes.
public func controlValue<Value: Decodable>(_ type: Value.Type, of json: String) throws -> Value {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(type, from: Data(json.utf8))
}

/// The JSON that `agentctl --json` prints, with the names of the protocol, in a stable order. What a terminal would act
/// on is written as escapes.
///
/// - Parameter pretty: over several lines; otherwise all on one.
public func controlJSON(_ value: some Encodable, pretty: Bool) throws -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
    return SafeText.json(String(decoding: try encoder.encode(value), as: UTF8.self))
}

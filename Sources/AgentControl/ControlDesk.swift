// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import Dispatch

/// Reads requests and hands them to those who do them. Answers are encoded on a queue of its own: the thread that brings
/// one is the delivery's, the writer's or the reader's, and has better things to do. One answer is encoded at a time, so
/// that no more than one takes memory for it.
final class ControlDesk: Sendable {
    private let verbs: [String: AttachedVerb]

    /// - Parameter handlers: one for each verb.
    init(_ handlers: [VerbHandler]) {
        let queue = DispatchQueue(label: "agentd.control.answers")
        verbs = Dictionary(uniqueKeysWithValues: handlers.map { ($0.verb, $0.attached(queue)) })
    }

    /// Reads a line of the protocol. It need not be agentctl's: whatever it holds, nothing traps.
    ///
    /// The text is checked first, with its depth, and then taken apart in place, without recursion.
    func read(_ line: [UInt8]) throws(ControlError) -> ControlCall {
        let result = line.withUnsafeBytes { text -> Result<ControlCall, ControlError> in
            do throws(ControlError) {
                return .success(try read(text))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private func read(_ text: UnsafeRawBufferPointer) throws(ControlError) -> ControlCall {
        let whole: JSONView
        do throws(JSONFault) {
            whole = try JSONView(validating: text)
        } catch {
            throw ControlError(
                .badRequest,
                "This is not a line of agentctl's protocol: at byte \(error.offset + 1), \(error)."
            )
        }
        guard let head = ControlArguments(whole, place: "of the request") else {
            throw ControlError(.badRequest, "This is not a line of agentctl's protocol, which is a JSON object.")
        }
        let version = try head.integer("v", in: 0...Int.max)
        guard version == ControlProtocol.version else {
            throw ControlError(
                .badRequest,
                "Version \(version) was asked for, and this agentd speaks version \(ControlProtocol.version)."
            )
        }
        let name = try head.text("verb")
        guard let verb = verbs[name] else {
            throw ControlError(
                .badRequest,
                "This agentd does not know the verb '\(SafeText.line(name, limit: 64))'; it may be older."
            )
        }
        if verb.isShared { return try verb.read(.none) }
        guard let with = head["with"].flatMap({ ControlArguments($0, place: "of '\(name)'") }) else {
            throw ControlError(.badRequest, "'\(name)' has no object of arguments, 'with'.")
        }
        return try verb.read(with)
    }
}

// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

extension ControlRequest {
    /// Reads a line of the protocol. It need not be agentctl's: whatever it holds, nothing traps, and every number,
    /// name and key of the result is within its bounds.
    ///
    /// The text is checked first, with its depth, and then taken apart in place, without recursion.
    init(reading line: [UInt8]) throws(ControlError) {
        let result = line.withUnsafeBytes { text -> Result<ControlRequest, ControlError> in
            do throws(ControlError) {
                return .success(try Self.read(text))
            } catch {
                return .failure(error)
            }
        }
        self = try result.get()
    }

    private static func read(_ text: UnsafeRawBufferPointer) throws(ControlError) -> ControlRequest {
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
        guard let verb = ControlProtocol.Verb(rawValue: name) else {
            throw ControlError(
                .badRequest,
                "This agentd does not know the verb '\(SafeText.line(name, limit: 64))'; it may be older."
            )
        }
        if verb == .status { return .status }
        guard let with = head["with"].flatMap({ ControlArguments($0, place: "of '\(name)'") }) else {
            throw ControlError(.badRequest, "'\(name)' has no object of arguments, 'with'.")
        }
        return try read(verb, with)
    }

    private static func read(_ verb: ControlProtocol.Verb, _ with: ControlArguments) throws(ControlError)
        -> ControlRequest
    {
        switch verb {
        case .status: .status
        case .peek:
            .peek(
                PeekRequest(
                    stream: try with.stream("stream"),
                    after: try with.integer("after", in: ControlLimits.after, absent: 0),
                    limit: try with.integer("limit", in: ControlLimits.pageEvents),
                    maxBytes: try with.maxBytes()
                )
            )
        case .send:
            .send(
                SendRequest(
                    stream: try with.stream("stream"),
                    partitionKey: try with.partitionKey("partition_key"),
                    events: try with.payloads("events_base64"),
                    isJSON: try with.flag("json")
                )
            )
        case .flush:
            .flush(FlushRequest(timeoutSeconds: try with.number("timeout_seconds", in: ControlLimits.timeoutSeconds)))
        case .pause: .pause(try with.stream("stream"))
        case .resume: .resume(try with.stream("stream"))
        case .deadLetters:
            .deadLetters(
                DeadLetterQuery(
                    stream: with["stream"] == nil ? nil : try with.stream("stream"),
                    after: try with.integer("after", in: ControlLimits.after, absent: 0),
                    limit: try with.integer("limit", in: ControlLimits.pageEvents),
                    maxBytes: try with.maxBytes()
                )
            )
        case .deadLetter: .deadLetter(id: try with.integer("id", in: ControlLimits.ids))
        case .requeue:
            .requeue(
                RequeueRequest(
                    try with.which(),
                    dryRun: try with.flag("dry_run"),
                    after: try with.integer("after", in: ControlLimits.after, absent: 0),
                    through: try with.integer("through", in: ControlLimits.after, absent: 0)
                )
            )
        }
    }
}

extension ControlArguments {
    fileprivate func maxBytes() throws(ControlError) -> Int {
        let range = ControlLimits.pageBytes
        return try integer("max_bytes", in: range, absent: range.upperBound)
    }

    /// `{"ids":{"_0":[1,2]}}` or `{"stream":{"_0":"clicks"}}`, as Swift writes an enumeration.
    fileprivate func which() throws(ControlError) -> RequeueRequest.Which {
        if let which = self["which"].flatMap({ ControlArguments($0, place: "of 'which'") }) {
            if let ids = which["ids"].flatMap({ ControlArguments($0, place: "of 'ids'") }) {
                return .ids(try ids.ids("_0"))
            }
            if let stream = which["stream"].flatMap({ ControlArguments($0, place: "of 'stream'") }) {
                return .stream(try stream.stream("_0"))
            }
        }
        throw ControlError(.badRequest, "'which' of 'requeue' must say ids or a stream.")
    }
}

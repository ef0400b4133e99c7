// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// Makes an event of a line. Its data are a slice of the line.
struct LineBuilder {
    private static let members = Envelope.Names(
        data: "event",
        partitionKey: "partition_key",
        explicitHashKey: "explicit_hash_key",
        stream: "stream"
    )

    let rules: RequestRules

    func event(_ line: [UInt8]) throws(Refusal) -> NewEvent {
        let envelope = try line.withBytes { (bytes) throws(Refusal) -> Envelope in
            let view: JSONView
            do throws(JSONFault) {
                view = try JSONView(validating: bytes)
            } catch {
                throw Refusal(
                    400,
                    "malformed_json",
                    "Column \(JSONFault.place(of: error.offset, in: bytes).column): \(error)."
                )
            }
            return try Envelope(view, Self.members, isStrict: true)
        }
        guard let data = envelope.data else {
            throw Refusal(400, "missing_member", "The line has no member 'event'.")
        }
        guard let stream = envelope.stream ?? rules.defaultStream?.name else {
            throw Refusal(400, "missing_member", "The line has no member 'stream', and there is no default stream.")
        }
        let region = envelope.region ?? (envelope.stream == nil ? rules.defaultStream?.region : nil)
        let target = try rules.target(stream, region)
        let key = try line.withBytes { (bytes) throws(Refusal) -> EventKey in
            try EventKey(
                partitionKey: envelope.partitionKey,
                explicitHashKey: envelope.explicitHashKey,
                orOf: JSONView(wellFormed: bytes, range: data),
                target.partitionKeyPointer
            )
        }
        let size = data.count + key.bytes
        if data.count > rules.maxEventBytes || size > target.maxRecordBytes {
            throw .eventTooLarge(bytes: size, limit: min(rules.maxEventBytes, target.maxRecordBytes))
        }
        return NewEvent(destination: target.id, key: key, data: Payload(line, range: data))
    }
}

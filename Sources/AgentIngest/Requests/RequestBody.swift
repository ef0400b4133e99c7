// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// A body that is whole. The data of its events are slices of its own block: nothing is copied.
struct RequestBody {
    let rules: RequestRules
    let block: [UInt8]

    /// - Parameters:
    ///   - data: a part of ``block``.
    ///   - line: the line that it is on, where there are several.
    func event(
        _ data: Payload,
        _ key: EventKey,
        _ target: EventTarget,
        line: Int? = nil
    ) throws(Refusal) -> NewEvent {
        let bytes = data.count + key.bytes
        if data.count > rules.maxEventBytes || bytes > target.maxRecordBytes {
            let limit =
                data.count > rules.maxEventBytes
                ? min(rules.maxEventBytes, target.maxRecordBytes) : target.maxRecordBytes
            throw .eventTooLarge(bytes: bytes, limit: limit, line: line)
        }
        return NewEvent(destination: target.id, key: key, data: data)
    }

    /// Looks into a body that is one JSON text.
    func withJSON<R>(_ look: (JSONView) throws(Refusal) -> R) throws(Refusal) -> R {
        try block.withBytes { (bytes) throws(Refusal) -> R in
            let view: JSONView
            do throws(JSONFault) {
                view = try JSONView(validating: bytes)
            } catch {
                throw Refusal(error, in: bytes)
            }
            return try look(view)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import Glibc

/// Makes events of a body. Their data are slices of the body's own block: nothing is copied.
struct EventBuilder {
    let rules: RequestRules
    let block: [UInt8]

    func events(_ plan: RequestPlan) throws(Refusal) -> [NewEvent] {
        switch plan.form {
        case .event(let isJSON):
            guard !block.isEmpty else { throw .empty }
            guard let target = plan.target else { preconditionFailure("an event without target") }
            return [try whole(plan, target, isJSON: isJSON)]
        case .lines:
            guard let target = plan.target else { preconditionFailure("lines without target") }
            return try lines(plan, target)
        case .put: return [try member(plan, .put)]
        case .lambda: return [try member(plan, .lambda)]
        }
    }

    private func whole(_ plan: RequestPlan, _ target: EventTarget, isJSON: Bool) throws(Refusal) -> NewEvent {
        let given = (plan.partitionKey, plan.explicitHashKey)
        let key = try block.withBytes { (bytes) throws(Refusal) -> EventKey in
            guard isJSON else { return try EventKey(checked: given.0, given.1) }
            guard given.0.isEmpty, let pointer = target.partitionKeyPointer else {
                try check(bytes, 1)
                return try EventKey(checked: given.0, given.1)
            }
            return try checkedKey(given, of: bytes, pointer)
        }
        return try event(Payload(block), key, target)
    }

    private func lines(_ plan: RequestPlan, _ target: EventTarget) throws(Refusal) -> [NewEvent] {
        let given = (plan.partitionKey, plan.explicitHashKey)
        let pointer = given.0.isEmpty ? target.partitionKeyPointer : nil
        let shared = try EventKey(checked: given.0, given.1)
        return try block.withBytes { (bytes) throws(Refusal) -> [NewEvent] in
            var events: [NewEvent] = []
            var lines = LineSplitter(bytes)
            while let line = lines.next() {
                let text = UnsafeRawBufferPointer(rebasing: bytes[line])
                var key = shared
                if let pointer {
                    do throws(Refusal) {
                        key = try checkedKey(given, of: text, pointer, firstLine: lines.number)
                    } catch {
                        throw error.onLine(lines.number)
                    }
                } else {
                    try check(text, lines.number)
                }
                if events.isEmpty { events.reserveCapacity(min(bytes.count / line.count + 1, 1024)) }
                if events.count == rules.maxEvents { throw .tooManyEvents }
                events.append(try event(Payload(block, range: line), key, target, line: lines.number))
            }
            if events.isEmpty { throw .empty }
            return events
        }
    }

    /// The one event of a front door, which is a member of the body.
    private func member(_ plan: RequestPlan, _ names: Envelope.Names) throws(Refusal) -> NewEvent {
        let envelope = try block.withBytes { (bytes) throws(Refusal) -> Envelope in
            try Envelope(try view(bytes), names, isStrict: false)
        }
        guard let data = envelope.data else {
            throw Refusal(400, "missing_member", "The body has no member '\(names.data)'.")
        }
        if names.needsPartitionKey, envelope.partitionKey.isEmpty {
            throw Refusal(400, "missing_member", "The body has no member '\(names.partitionKey)'.")
        }
        let target = if let known = plan.target { known } else { try rules.target(plan.stream, envelope.region) }
        let given = (
            plan.partitionKey.isEmpty ? envelope.partitionKey : plan.partitionKey,
            plan.explicitHashKey.isEmpty ? envelope.explicitHashKey : plan.explicitHashKey
        )
        let key = try block.withBytes { (bytes: UnsafeRawBufferPointer) throws(Refusal) -> EventKey in
            try Self.key(given, within: data, of: bytes, target.partitionKeyPointer)
        }
        return try event(Payload(block, range: data), key, target)
    }

    private func view(_ bytes: UnsafeRawBufferPointer) throws(Refusal) -> JSONView {
        do throws(JSONFault) {
            return try JSONView(validating: bytes)
        } catch {
            throw Refusal(error, in: bytes, firstLine: 1)
        }
    }

    /// The key that `pointer` leads to in `text`, which is checked on the way.
    private func checkedKey(
        _ given: (partition: String, hash: String),
        of text: UnsafeRawBufferPointer,
        _ pointer: JSONPointer,
        firstLine: Int = 1
    ) throws(Refusal) -> EventKey {
        let value: JSONView?
        do throws(JSONFault) {
            value = try JSON.value(at: pointer, validating: text)
        } catch {
            throw Refusal(error, in: text, firstLine: firstLine)
        }
        return try EventKey(checked: value.map(Self.keyText) ?? given.partition, given.hash)
    }

    private func check(_ bytes: UnsafeRawBufferPointer, _ line: Int) throws(Refusal) {
        do throws(JSONFault) {
            try JSON.validate(bytes)
        } catch {
            throw Refusal(error, in: bytes, firstLine: line)
        }
    }

    private func event(
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
}

extension EventBuilder {
    /// As ``key(_:of:_:)``, for an event inside text that is well-formed JSON.
    static func key(
        _ given: (partition: String, hash: String),
        within range: Range<Int>,
        of text: UnsafeRawBufferPointer,
        _ pointer: JSONPointer?
    ) throws(Refusal) -> EventKey {
        try key(given, of: JSONView(wellFormed: text, range: range), pointer)
    }

    /// The key that the request gave, else the one that the event has where `pointer` says.
    static func key(
        _ given: (partition: String, hash: String),
        of event: JSONView,
        _ pointer: JSONPointer?
    ) throws(Refusal) -> EventKey {
        guard given.partition.isEmpty, let pointer, let value = event[pointer] else {
            return try EventKey(checked: given.partition, given.hash)
        }
        return try EventKey(checked: try keyText(value), given.hash)
    }

    /// The text of a key in JSON; empty for null.
    static func keyText(_ value: JSONView) throws(Refusal) -> String {
        switch value.kind {
        case .null: return ""
        case .object, .array:
            throw Refusal(400, "malformed_key", "The partition key must be text, a number or a boolean.")
        case .string, .number, .boolean:
            guard let text = value.scalarText else {
                throw Refusal(400, "malformed_key", "The partition key has half a surrogate pair.")
            }
            return text
        }
    }
}

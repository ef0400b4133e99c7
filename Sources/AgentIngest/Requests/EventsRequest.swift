// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import Glibc
internal import NIOCore

/// `POST /v1/streams/{stream}/events`: one event, or one a line, as the content type says.
final class EventsRequest: RequestShape {
    static let door = FrontDoor.events

    private let form: ContentType.Form
    private let target: EventTarget
    /// Empty: the request itself gives none.
    private let partitionKey: String
    private let explicitHashKey: String
    let bodyLimit: Int
    let waitTime: TimeAmount?
    var awaitsDelivery: Bool { waitTime != nil }

    /// Who prefers to wait longer waits so long.
    private static let maxWaitSeconds = 60

    static func stream(of request: RequestView) throws(Refusal) -> String? {
        guard let segment = segment(of: request.path) else { return nil }
        try request.only(.post, "POST")
        return try PathSegments.name(segment)
    }

    /// Between `/v1/streams/` and `/events`: the path of nearly every request.
    @inline(__always)
    private static func segment(of path: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let (before, after): (StaticString, StaticString) = ("/v1/streams/", "/events")
        let first = before.utf8CodeUnitCount
        let last = path.count - after.utf8CodeUnitCount
        guard last > first, let base = path.baseAddress, memcmp(base, before.utf8Start, first) == 0,
            memcmp(base + last, after.utf8Start, after.utf8CodeUnitCount) == 0,
            memchr(base + first, Int32(UInt8(ascii: "/")), last - first) == nil
        else { return nil }
        return UnsafeRawBufferPointer(rebasing: path[first..<last])
    }

    init(_ request: RequestView, stream: String, _ rules: RequestRules) throws(Refusal) {
        form = try ContentType.form(request.head.contentType.bytes(in: request.bytes))
        bodyLimit = form == .lines ? rules.maxRequestBytes : min(rules.maxEventBytes, rules.maxRequestBytes)
        try request.refuseUnavailable()
        waitTime = request.head.preferredWait.map { .seconds(Int64(min($0, Self.maxWaitSeconds))) }
        let given = try GivenAddress(request)
        (partitionKey, explicitHashKey) = (given.partitionKey, given.explicitHashKey)
        target = try rules.target(stream, given.region)
    }

    // MARK: Events

    func events(of body: RequestBody, atMost limit: Int) throws(Refusal) -> BodyEvents {
        if form == .lines { return try lines(of: body, atMost: limit) }
        guard !body.block.isEmpty else { throw .empty }
        return .events([try whole(body)])
    }

    private func whole(_ body: RequestBody) throws(Refusal) -> NewEvent {
        let pointer = partitionKey.isEmpty ? target.partitionKeyPointer : nil
        let key = try body.block.withBytes { (bytes) throws(Refusal) -> EventKey in
            if form == .opaque, pointer == nil { return try EventKey(checked: partitionKey, explicitHashKey) }
            let value: JSONView?
            do throws(JSONFault) {
                if let pointer {
                    value = try JSON.value(at: pointer, validating: bytes)
                } else {
                    try JSON.validate(bytes)
                    value = nil
                }
            } catch {
                switch form {
                // It may be JSON whatever its type says; then its key is in it.
                case .opaque: value = nil
                case .form: throw ContentType.formRefusal
                case .json, .lines: throw Refusal(error, in: bytes, isWholeBody: true)
                }
            }
            return try EventKey(checked: try value.map(EventKey.text) ?? partitionKey, explicitHashKey)
        }
        return try body.event(Payload(body.block), key, target)
    }

    private func lines(of body: RequestBody, atMost limit: Int) throws(Refusal) -> BodyEvents {
        let pointer = partitionKey.isEmpty ? target.partitionKeyPointer : nil
        let shared = try EventKey(checked: partitionKey, explicitHashKey)
        let most = body.rules.maxEvents
        return try body.block.withBytes { (bytes) throws(Refusal) -> BodyEvents in
            var events: [NewEvent] = []
            var lines = LineSplitter(bytes)
            while let line = lines.next() {
                if events.count == most { throw .tooManyEvents }
                if events.count == limit { return .tooMany(count: try Self.countLines(bytes, atMost: most)) }
                let text = UnsafeRawBufferPointer(rebasing: bytes[line])
                var key = shared
                if let pointer {
                    do throws(Refusal) {
                        key = try checkedKey(of: text, pointer, line: lines.number)
                    } catch {
                        throw error.onLine(lines.number)
                    }
                } else {
                    try Self.check(text, line: lines.number)
                }
                if events.isEmpty { events.reserveCapacity(min(bytes.count / line.count + 1, limit)) }
                events.append(try body.event(Payload(body.block, range: line), key, target, line: lines.number))
            }
            if events.isEmpty { throw .empty }
            return .events(events)
        }
    }

    private static func countLines(_ bytes: UnsafeRawBufferPointer, atMost most: Int) throws(Refusal) -> Int {
        var count = 0
        var lines = LineSplitter(bytes)
        while count <= most, lines.next() != nil { count += 1 }
        if count > most { throw .tooManyEvents }
        return count
    }

    /// The key that `pointer` leads to in `text`, which is checked on the way.
    private func checkedKey(
        of text: UnsafeRawBufferPointer,
        _ pointer: JSONPointer,
        line: Int
    ) throws(Refusal) -> EventKey {
        let value: JSONView?
        do throws(JSONFault) {
            value = try JSON.value(at: pointer, validating: text)
        } catch {
            throw Refusal(error, in: text, firstLine: line)
        }
        return try EventKey(checked: value.map(EventKey.text) ?? partitionKey, explicitHashKey)
    }

    private static func check(_ bytes: UnsafeRawBufferPointer, line: Int) throws(Refusal) {
        do throws(JSONFault) {
            try JSON.validate(bytes)
        } catch {
            throw Refusal(error, in: bytes, firstLine: line)
        }
    }

    // MARK: Replies

    func reply(to outcome: StoredEvents, _ context: ReplyContext, to buffer: inout ByteBuffer) {
        if let waitTime { return DeliveryReport(outcome).reply(waitTime, context, to: &buffer) }
        Reply.accepted(outcome.count, first: outcome.first.rawValue, status: 202, context, to: &buffer)
    }
}

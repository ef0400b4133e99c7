// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// What is to be done with the body of a request: all that its head decides, so that the head need not be kept.
///
/// A class, because it is handed on a few times, and each of its strings would be counted each time.
final class RequestPlan {
    enum Form: Equatable {
        /// The body is one event; JSON is checked.
        case event(isJSON: Bool)
        /// An event a line.
        case lines
        case put
        case lambda
    }

    let form: Form
    let stream: String
    /// Where the events go; `nil` where the body may yet name a region.
    let target: EventTarget?
    /// Empty: the request itself gives none.
    let partitionKey: String
    let explicitHashKey: String
    /// The longest body that can be of use.
    let bodyLimit: Int

    /// - Parameter head: the bytes that `request` was read from.
    init(
        _ request: RequestHead,
        route: Route,
        head: UnsafeRawBufferPointer,
        rules: RequestRules
    ) throws(Refusal) {
        switch route {
        case .events(let name):
            form = try Self.form(request.contentType.bytes(in: head))
            stream = name
        case .put(let name): (form, stream) = (.put, name)
        case .lambda(let name): (form, stream) = (.lambda, name)
        case .health, .readiness: preconditionFailure("GET \(route) has no body to plan for")
        }
        if case .event = form {
            bodyLimit = min(rules.maxEventBytes, rules.maxRequestBytes)
        } else {
            bodyLimit = rules.maxRequestBytes
        }
        if request.contentEncoding.isPresent {
            let coding = request.contentEncoding.bytes(in: head)
            guard coding.isEmpty || FieldBytes.equal(coding, "identity") else {
                throw Refusal(415, "content_encoding", "The body must not be compressed or encoded.")
            }
        }
        if request.idempotencyKey.isPresent { throw .notAvailable("Idempotency-Key") }

        var (partitionKey, explicitHashKey) = ("", "")
        var region: String?
        if request.query.isPresent, !request.query.isEmpty {
            let query = try QueryParameters(request.query.bytes(in: head))
            region = query.region?.isEmpty == true ? nil : query.region
            partitionKey = query.partitionKey ?? ""
            explicitHashKey = query.explicitHashKey ?? ""
        }
        if partitionKey.isEmpty, request.partitionKey.isPresent {
            partitionKey = try Self.text(request.partitionKey.bytes(in: head), "X-Partition-Key")
        }
        if explicitHashKey.isEmpty, request.explicitHashKey.isPresent {
            explicitHashKey = try Self.text(request.explicitHashKey.bytes(in: head), "X-Explicit-Hash-Key")
        }
        if !partitionKey.isEmpty || !explicitHashKey.isEmpty {
            _ = try EventKey(checked: partitionKey, explicitHashKey)
        }
        (self.partitionKey, self.explicitHashKey) = (partitionKey, explicitHashKey)
        switch form {
        case .event, .lines: target = try rules.target(stream, region)
        case .put, .lambda: target = region == nil ? nil : try rules.target(stream, region)
        }
    }

    private static func text(_ bytes: UnsafeRawBufferPointer, _ field: String) throws(Refusal) -> String {
        guard let text = String(utf8: bytes) else {
            throw Refusal(400, "malformed_key", "\(field) is not UTF-8.")
        }
        return text
    }

    /// What a content type makes of a body.
    private static func form(_ type: UnsafeRawBufferPointer) throws(Refusal) -> Form {
        // The type of nearly every event.
        if FieldBytes.equal(type, "application/json") { return .event(isJSON: true) }
        let end = type.firstIndex(of: UInt8(ascii: ";")) ?? type.count
        let essence = FieldBytes.trimmed(UnsafeRawBufferPointer(rebasing: type[..<end]))
        let form: Form
        if FieldBytes.equal(essence, "application/x-ndjson") || FieldBytes.equal(essence, "application/jsonl") {
            form = .lines
        } else {
            let suffix = UnsafeRawBufferPointer(rebasing: essence.suffix(5))
            form = .event(
                isJSON: FieldBytes.equal(essence, "application/json") || FieldBytes.equal(suffix, "+json")
            )
        }
        if end < type.count, form != .event(isJSON: false) { try refuseCharset(in: type[(end + 1)...]) }
        return form
    }

    /// JSON is UTF-8 (RFC 8259 section 8.1); a body that says it is something else would be taken for what it is not.
    private static func refuseCharset(in parameters: Slice<UnsafeRawBufferPointer>) throws(Refusal) {
        for parameter in parameters.split(separator: UInt8(ascii: ";")) {
            let text = FieldBytes.trimmed(UnsafeRawBufferPointer(rebasing: parameter))
            guard text.count > 8, FieldBytes.equal(UnsafeRawBufferPointer(rebasing: text[..<8]), "charset=") else {
                continue
            }
            let value = UnsafeRawBufferPointer(rebasing: text[8...])
            let known = [value, UnsafeRawBufferPointer(rebasing: value.dropFirst().dropLast())]
                .contains { FieldBytes.equal($0, "utf-8") || FieldBytes.equal($0, "us-ascii") }
            guard known else { throw Refusal(415, "charset", "JSON must be sent as UTF-8.") }
        }
    }
}

/// What events need to know of their stream: less than the directory says, because plans are copied much.
struct EventTarget {
    let id: DestinationID
    let maxRecordBytes: Int
    let partitionKeyPointer: JSONPointer?

    init(_ target: StreamTarget) {
        id = target.id
        maxRecordBytes = target.maxRecordBytes
        partitionKeyPointer = target.partitionKeyPointer
    }
}

/// The settings and the directory, as the requests of one event loop need them.
final class RequestRules {
    let directory: any StreamDirectory
    let maxEventBytes: Int
    let maxRequestBytes: Int
    let defaultStream: String?
    /// What was asked for last, in the configured region: mostly all clients post to the same stream.
    private var last: (stream: String, target: EventTarget)?

    init(_ settings: IngestSettings, _ directory: any StreamDirectory) {
        self.directory = directory
        maxEventBytes = settings.maxEventBytes
        maxRequestBytes = settings.maxRequestBytes
        defaultStream = settings.defaultStream
    }

    /// One for each 64 bytes of the largest body, which is about what an event costs beside its data.
    var maxEvents: Int { max(maxRequestBytes / 64, 1) }

    func target(_ stream: String, _ region: String?) throws(Refusal) -> EventTarget {
        if region == nil, let last, last.stream == stream { return last.target }
        do {
            let target = EventTarget(try directory.target(stream: stream, region: region))
            if region == nil { last = (stream, target) }
            return target
        } catch {
            throw Refusal(error)
        }
    }
}

extension EventKey {
    /// A key that Kinesis takes. It counts a partition key's characters as Unicode scalars, which is what a length is
    /// in its API model.
    init(checked partitionKey: String, _ explicitHashKey: String) throws(Refusal) {
        let limit = KinesisLimits.partitionKeyCharacters
        if partitionKey.utf8.count > limit, partitionKey.unicodeScalars.count > limit {
            throw Refusal(400, "key_too_long", "The partition key has more than \(limit) characters.")
        }
        if !explicitHashKey.isEmpty, !KinesisLimits.isHashKey(explicitHashKey) {
            throw Refusal(
                400,
                "invalid_hash_key",
                "The explicit hash key must be a decimal number from 0 to 2^128-1 without leading zeros."
            )
        }
        self.init(partitionKey: partitionKey, explicitHashKey: explicitHashKey)
    }
}

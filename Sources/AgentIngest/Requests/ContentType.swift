// SPDX-License-Identifier: Apache-2.0

/// What the content type of a request makes of its body.
///
/// JSON lines have no registered type, so all names for them that are in use are known. What is not known is opaque:
/// one event, byte for byte. So a type that is known to hold several events, or an envelope around them, and is not
/// understood here is refused: it would be stored as one event without a word.
enum ContentType {
    enum Form {
        /// The body is one event, which is one JSON text.
        case json
        /// The body is one event, whatever it is.
        case opaque
        /// What `curl -d` says of all it sends: the body is one event if it is one JSON text.
        case form
        /// An event a line.
        case lines
    }

    private static let lines: Set<String> = [
        "application/x-ndjson", "application/ndjson", "application/nd-json", "application/x-nd-json",
        "application/jsonl", "application/x-jsonl", "application/json-l", "application/jsonlines",
        "application/x-jsonlines", "application/json-lines", "application/x-json-lines", "application/ldjson",
        "application/x-ldjson", "application/nljson", "application/x-nljson", "application/json-stream",
        "application/x-json-stream", "application/jsonstream", "application/x-jsonstream", "application/stream+json",
        "application/x-stream+json", "text/ndjson", "text/x-ndjson", "text/jsonl", "text/x-jsonl", "text/jsonlines",
        "text/x-jsonlines", "text/json-lines",
    ]
    private static let lineSuffixes = ["+ndjson", "+x-ndjson", "+jsonl", "+jsonlines"]
    private static let json: Set<String> = [
        "application/json", "text/json", "application/x-json", "text/x-json", "application/csp-report",
        "application/x-amz-json-1.0", "application/x-amz-json-1.1",
    ]

    /// - Parameter type: the field's value; empty where it is not there.
    static func form(_ type: UnsafeRawBufferPointer) throws(Refusal) -> Form {
        // The types of nearly every request.
        if FieldBytes.equal(type, "application/json") { return .json }
        if FieldBytes.equal(type, "application/x-ndjson") { return .lines }
        if type.isEmpty || FieldBytes.equal(type, "application/octet-stream") { return .opaque }
        let end = type.firstIndex(of: UInt8(ascii: ";")) ?? type.count
        let essence = FieldBytes.trimmed(UnsafeRawBufferPointer(rebasing: type[..<end]))
        let form = try form(named: String(decoding: essence, as: UTF8.self).lowercased())
        if end < type.count, form != .opaque { try refuseCharset(in: type[(end + 1)...]) }
        return form
    }

    /// - Parameter name: in lower case, without parameters.
    private static func form(named name: String) throws(Refusal) -> Form {
        if lines.contains(name) || lineSuffixes.contains(where: name.hasSuffix) { return .lines }
        if json.contains(name) { return .json }
        if name == "application/x-www-form-urlencoded" { return .form }
        if name.hasPrefix("multipart/") {
            throw refusal("A form with parts is no event. Send the event as the body, with its own Content-Type.")
        }
        if name.hasSuffix("json-seq") {
            throw refusal("JSON text sequences are not understood. Send an event a line, as application/x-ndjson.")
        }
        if name.hasPrefix("application/cloudevents-batch") { throw .notAvailable("A batch of CloudEvents") }
        if name.hasPrefix("application/vnd.kafka.") {
            throw refusal(
                "Records for Kafka's REST API are not understood. Send an event a line, as application/x-ndjson."
            )
        }
        return name.hasSuffix("+json") ? .json : .opaque
    }

    private static func refusal(_ message: String) -> Refusal { Refusal(415, "content_type", message) }

    /// To a form whose body is no JSON.
    static let formRefusal = refusal(
        """
        The body is a form, or its Content-Type was not set. Send 'Content-Type: application/json' for JSON, \
        'application/x-ndjson' for an event a line, or 'application/octet-stream' for any bytes.
        """
    )

    /// JSON is UTF-8 (RFC 8259 section 8.1); a body that says it is something else would be taken for what it is not.
    private static func refuseCharset(in parameters: Slice<UnsafeRawBufferPointer>) throws(Refusal) {
        for parameter in parameters.split(separator: UInt8(ascii: ";")) {
            let text = FieldBytes.trimmed(UnsafeRawBufferPointer(rebasing: parameter))
            guard text.count > 8, FieldBytes.equal(UnsafeRawBufferPointer(rebasing: text[..<8]), "charset=") else {
                continue
            }
            let value = UnsafeRawBufferPointer(rebasing: text[8...])
            let known = [value, UnsafeRawBufferPointer(rebasing: value.dropFirst().dropLast())]
                .contains { value in
                    FieldBytes.equal(value, "utf-8") || FieldBytes.equal(value, "utf8")
                        || FieldBytes.equal(value, "us-ascii")
                }
            guard known else { throw Refusal(415, "charset", "JSON must be sent as UTF-8.") }
        }
    }
}

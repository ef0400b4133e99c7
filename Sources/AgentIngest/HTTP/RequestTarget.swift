// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// Decodes what a request's path and query say.
enum RequestTarget {
    /// The decoded text of a path segment; `nil` where the percent-encoding or the UTF-8 is wrong.
    static func segment(_ bytes: UnsafeRawBufferPointer) -> String? {
        decode(bytes, plusIsSpace: false)
    }

    fileprivate static func decode(_ bytes: UnsafeRawBufferPointer, plusIsSpace: Bool) -> String? {
        var needsWork = false
        for byte in bytes {
            needsWork = needsWork || byte == UInt8(ascii: "%") || (plusIsSpace && byte == UInt8(ascii: "+"))
        }
        if !needsWork { return String(utf8: bytes) }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var i = 0
        while i < bytes.count {
            switch bytes[i] {
            case UInt8(ascii: "%"):
                guard bytes.count - i > 2, let high = Hexadecimal.value(bytes[i + 1]),
                    let low = Hexadecimal.value(bytes[i + 2])
                else { return nil }
                decoded.append(high << 4 | low)
                i += 3
            case UInt8(ascii: "+") where plusIsSpace:
                decoded.append(0x20)
                i += 1
            case let byte:
                decoded.append(byte)
                i += 1
            }
        }
        return String(validating: decoded, as: UTF8.self)
    }
}

/// The parameters of a query that matter here, decoded as HTML forms are. Where one is there twice, the first counts.
struct QueryParameters {
    private(set) var region: String?
    private(set) var partitionKey: String?
    private(set) var explicitHashKey: String?
    /// `partial`, unless it says no.
    private(set) var wantsPartial = false

    init(_ query: UnsafeRawBufferPointer) throws(Refusal) {
        var start = 0
        while start < query.count {
            var (equals, end) = (-1, start)
            while end < query.count, query[end] != UInt8(ascii: "&") {
                if equals < 0, query[end] == UInt8(ascii: "=") { equals = end }
                end &+= 1
            }
            let nameEnd = equals < 0 ? end : equals
            let name = UnsafeRawBufferPointer(rebasing: query[start..<nameEnd])
            let value = UnsafeRawBufferPointer(rebasing: query[min(nameEnd + 1, end)..<end])
            switch name.count {
            case 6 where FieldBytes.equal(name, "region"):
                if region == nil { region = try Self.text(value, "region") }
            case 7 where FieldBytes.equal(name, "partial"):
                wantsPartial = !FieldBytes.equal(value, "false") && !FieldBytes.equal(value, "0")
            case 13 where FieldBytes.equal(name, "partition_key"):
                if partitionKey == nil { partitionKey = try Self.text(value, "partition_key") }
            case 17 where FieldBytes.equal(name, "explicit_hash_key"):
                if explicitHashKey == nil { explicitHashKey = try Self.text(value, "explicit_hash_key") }
            default: break
            }
            start = end + 1
        }
    }

    private static func text(_ value: UnsafeRawBufferPointer, _ name: String) throws(Refusal) -> String {
        guard let text = RequestTarget.decode(value, plusIsSpace: true) else {
            throw Refusal(400, "malformed_query", "The query's \(name) is not percent-encoded UTF-8.")
        }
        return text
    }
}

// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// Reads what a request's path and query say.
enum RequestTarget {
    /// The decoded text of a path segment; `nil` where the percent-encoding or the UTF-8 is wrong.
    static func segment(_ bytes: UnsafeRawBufferPointer) -> String? {
        decode(bytes, plusIsSpace: false)
    }

    /// The value of `name` in a query, decoded as HTML forms are; the first, where there are more.
    static func parameter(_ name: StaticString, in query: UnsafeRawBufferPointer) throws(Refusal) -> String? {
        for pair in query.split(separator: UInt8(ascii: "&")) {
            let end = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            guard FieldBytes.equal(UnsafeRawBufferPointer(rebasing: pair[..<end]), name) else { continue }
            let value = UnsafeRawBufferPointer(rebasing: pair[min(end + 1, pair.endIndex)...])
            guard let text = decode(value, plusIsSpace: true) else {
                throw Refusal(400, "malformed_query", "The query's \(name) is not percent-encoded UTF-8.")
            }
            return text
        }
        return nil
    }

    private static func decode(_ bytes: UnsafeRawBufferPointer, plusIsSpace: Bool) -> String? {
        let needsWork = bytes.contains { $0 == UInt8(ascii: "%") || plusIsSpace && $0 == UInt8(ascii: "+") }
        guard needsWork else { return String(validating: bytes, as: UTF8.self) }
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

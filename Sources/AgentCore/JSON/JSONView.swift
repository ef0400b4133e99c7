// SPDX-License-Identifier: Apache-2.0

/// A value inside text that is known to be well-formed JSON.
///
/// Borrowed: it points into the text, and must not outlive the call that lent it.
public struct JSONView {
    public enum Kind: Hashable, Sendable {
        case object, array, string, number, boolean, null
    }

    /// The whole text that the value is in.
    public let text: UnsafeRawBufferPointer
    /// Where in ``text`` the value is, without whitespace around it.
    public let range: Range<Int>

    init(text: UnsafeRawBufferPointer, range: Range<Int>) {
        self.text = text
        self.range = range
    }

    /// A value that was seen before in `text`, which still is the same.
    public init(wellFormed text: UnsafeRawBufferPointer, range: Range<Int>) {
        precondition(!range.isEmpty && range.upperBound <= text.count)
        self.init(text: text, range: range)
    }

    /// The one value that `text` is.
    public init(validating text: UnsafeRawBufferPointer) throws(JSONFault) {
        self.init(text: text, range: try JSON.locate(text))
    }

    public var kind: Kind {
        switch text[range.lowerBound] {
        case UInt8(ascii: "{"): .object
        case UInt8(ascii: "["): .array
        case UInt8(ascii: "\""): .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): .boolean
        case UInt8(ascii: "n"): .null
        default: .number
        }
    }

    /// The value's own bytes.
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: text[range]) }

    /// The text of a string, its escapes resolved; the text of a number or boolean as it is written.
    /// `nil` for an object, an array or null, and for a string with half a surrogate pair, which no text can hold.
    public var scalarText: String? {
        switch kind {
        case .string: JSONString.decode(stringBytes)
        case .number, .boolean: String(decoding: bytes, as: UTF8.self)
        case .object, .array, .null: nil
        }
    }

    /// Whether the value is a string that means `other`, escapes resolved.
    public func isString(_ other: String) -> Bool {
        guard kind == .string else { return false }
        let raw = stringBytes
        let count = other.utf8.count
        // An escape is longer than what it means, so that the lengths tell most apart.
        if raw.count < count { return false }
        if raw.count > count {
            return JSONString.hasEscape(raw) && JSONString.decode(raw)?.utf8.elementsEqual(other.utf8) ?? false
        }
        var other = other
        return other.withUTF8 { raw.elementsEqual($0) } && !JSONString.hasEscape(raw)
    }

    /// The members of an object, in the order of the text; none for other values.
    public var members: Members { Members(self, kind == .object) }

    /// The elements of an array; none for other values.
    public var elements: Elements { Elements(self, kind == .array) }

    /// The value that `pointer` leads to. Where an object names a member twice, the last one counts, as it does for
    /// most readers of JSON.
    public subscript(pointer: JSONPointer) -> JSONView? {
        var found = self
        for token in pointer.tokens {
            switch found.kind {
            case .object:
                var member: JSONView?
                var members = found.members
                while let (name, value) = members.next() {
                    if name.isString(token) { member = value }
                }
                guard let member else { return nil }
                found = member
            case .array:
                guard let index = Self.arrayIndex(token) else { return nil }
                var elements = found.elements
                for _ in 0..<index {
                    guard elements.next() != nil else { return nil }
                }
                guard let element = elements.next() else { return nil }
                found = element
            case .string, .number, .boolean, .null:
                return nil
            }
        }
        return found
    }

    /// RFC 6901 section 4: digits without a leading zero.
    private static func arrayIndex(_ token: String) -> Int? {
        guard let first = token.utf8.first, first != UInt8(ascii: "0") || token.utf8.count == 1 else { return nil }
        guard token.utf8.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }) else { return nil }
        return Int(token)
    }

    /// Between the quotes.
    private var stringBytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: text[range.lowerBound + 1..<range.upperBound - 1])
    }
}

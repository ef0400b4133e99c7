// SPDX-License-Identifier: Apache-2.0

/// Where and why text is not JSON (RFC 8259).
public struct JSONFault: Error, Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// Nothing but whitespace.
        case empty
        /// RFC 8259 section 8.1 forbids a byte order mark.
        case byteOrderMark
        /// The text ends inside a value.
        case truncated
        /// A byte that cannot begin a value.
        case valueExpected
        /// An object goes on with something else than a name in quotes.
        case nameExpected
        case colonExpected
        /// A container goes on with neither a comma nor its closing bracket.
        case commaExpected
        /// A number with a leading zero, or without digits where they must be.
        case number
        /// A backslash before something else than `"\/bfnrt` or `u` and four hexadecimal digits.
        case escape
        /// A byte below 0x20 inside a string.
        case controlCharacter
        /// Overlong, a surrogate, past U+10FFFF, or cut off.
        case utf8
        /// More than ``JSON/depthLimit`` containers inside each other.
        case tooDeep
        /// Something after the value.
        case trailing
    }

    public let kind: Kind
    /// Of the first byte at fault, counted from the start of the text.
    public let offset: Int

    public init(_ kind: Kind, at offset: Int) {
        self.kind = kind
        self.offset = offset
    }

    /// The line and column of an offset in `text`, both counted from 1; columns count characters (Unicode scalars).
    public static func place(of offset: Int, in text: UnsafeRawBufferPointer) -> (line: Int, column: Int) {
        var (line, column) = (1, 1)
        for byte in text.prefix(offset) {
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if byte & 0xc0 != 0x80 {
                column += 1
            }
        }
        return (line, column)
    }
}

extension JSONFault: CustomStringConvertible {
    /// What is wrong, without the place: half a sentence.
    public var description: String {
        switch kind {
        case .empty: "there is no JSON value"
        case .byteOrderMark: "JSON must not begin with a byte order mark"
        case .truncated: "the JSON text ends too early"
        case .valueExpected: "a JSON value was expected"
        case .nameExpected: "a member name in double quotes was expected"
        case .colonExpected: "a colon was expected after the member name"
        case .commaExpected: "a comma or a closing bracket was expected"
        case .number: "the number is malformed"
        case .escape: "the escape sequence in the string is unknown or incomplete"
        case .controlCharacter: "a control character in a string must be escaped"
        case .utf8: "the string is not valid UTF-8"
        case .tooDeep: "objects and arrays are nested deeper than \(JSON.depthLimit) levels"
        case .trailing: "there is more text after the JSON value"
        }
    }
}

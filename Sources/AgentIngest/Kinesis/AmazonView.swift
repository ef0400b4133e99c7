// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// A value of a request in one of the two forms that SDKs send, JSON and CBOR: what the operations read is the same.
///
/// Borrowed: it points into the request's body, and must not outlive the call that lent it.
protocol AmazonView {
    associatedtype Members: IteratorProtocol where Members.Element == (name: Self, value: Self)
    associatedtype Elements: IteratorProtocol where Elements.Element == Self

    var isObject: Bool { get }
    var isList: Bool { get }
    var isNull: Bool { get }
    /// Of an object; none for other values.
    var members: Members { get }
    /// Of a list; none for other values.
    var elements: Elements { get }
    /// `nil` where it is none, or not Unicode.
    var string: String? { get }
    /// `nil` where it is none that is not negative and fits.
    var integer: Int? { get }
    func isString(_ other: String) -> Bool
    /// The bytes of a blob; `nil` where it is none.
    func blob(_ decoded: inout DecodedBlobs) -> Blob?

    /// Room that the blobs of a body of so many bytes take at most when they are decoded.
    static func decodedBytes(ofBody count: Int) -> Int
}

/// Where the bytes of a blob are.
enum Blob {
    /// In the request's body, as they are.
    case body(Range<Int>)
    /// Decoded, in the block that all blobs of the request share.
    case decoded(Range<Int>)
    /// In pieces of the body that were put together.
    case own([UInt8])

    var count: Int {
        switch self {
        case .body(let range), .decoded(let range): range.count
        case .own(let bytes): bytes.count
        }
    }
}

/// The memory in which the blobs of a request are decoded, one behind the other.
struct DecodedBlobs {
    let space: UnsafeMutableRawBufferPointer
    private(set) var used = 0

    init(_ space: UnsafeMutableRawBufferPointer) { self.space = space }

    /// - Returns: where the bytes are that the base64 text means; `nil` where it is none.
    mutating func decode(_ text: UnsafeRawBufferPointer) -> Range<Int>? {
        guard !text.isEmpty else { return used..<used }
        guard let base = space.baseAddress, Base64Text.decodedBytes(text.count) <= space.count - used,
            let count = Base64Text.decode(text, to: base + used)
        else { return nil }
        defer { used += count }
        return used..<used + count
    }
}

extension JSONView: AmazonView {
    var isObject: Bool { kind == .object }
    var isList: Bool { kind == .array }
    var isNull: Bool { kind == .null }

    var string: String? { kind == .string ? scalarText : nil }

    var integer: Int? {
        guard kind == .number, let number = scalarText.flatMap({ Int($0) }), number >= 0 else { return nil }
        return number
    }

    func blob(_ decoded: inout DecodedBlobs) -> Blob? {
        guard kind == .string else { return nil }
        let text = UnsafeRawBufferPointer(rebasing: bytes[1..<bytes.count - 1])
        if let range = decoded.decode(text) { return .decoded(range) }
        // Some writers of JSON escape '/' or '='.
        guard text.contains(UInt8(ascii: "\\")), let plain = string else { return nil }
        return Array(plain.utf8).withUnsafeBytes { decoded.decode($0) }.map(Blob.decoded)
    }

    static func decodedBytes(ofBody count: Int) -> Int { Base64Text.decodedBytes(count) }
}

// SPDX-License-Identifier: Apache-2.0

/// Immutable bytes: a range of a shared block.
///
/// Slicing and copying the value never copy the bytes. A payload keeps its whole block alive; what outlives
/// the request that brought it should be ``compacted()``.
public struct Payload: Sendable {
    @usableFromInline let block: [UInt8]
    @usableFromInline let start: Int32
    @usableFromInline let end: Int32

    /// The whole of `block`, at most 2 GiB.
    @inlinable
    public init(_ block: [UInt8]) {
        precondition(block.count <= Int32.max)
        self.block = block
        self.start = 0
        self.end = Int32(truncatingIfNeeded: block.count)
    }

    /// `range` of `block`, in the block's indices.
    @inlinable
    public init(_ block: [UInt8], range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= block.count && block.count <= Int32.max)
        self.block = block
        self.start = Int32(truncatingIfNeeded: range.lowerBound)
        self.end = Int32(truncatingIfNeeded: range.upperBound)
    }

    /// A copy of the bytes, in a block of their own.
    @inlinable
    public init(copying bytes: UnsafeRawBufferPointer) {
        self.init([UInt8](bytes))
    }

    public init(_ text: String) {
        self.init([UInt8](text.utf8))
    }

    public static let empty = Payload([])

    @inlinable public var count: Int { Int(end &- start) }
    @inlinable public var isEmpty: Bool { end == start }

    /// Calls `body` with the bytes; the pointer is valid during the call only.
    @inlinable
    public func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try block.withUnsafeBufferPointer { (all: UnsafeBufferPointer<UInt8>) throws(E) -> R in
            try body(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: all[Int(start)..<Int(end)])))
        }
    }

    /// The bytes of `range`, counted from this payload's first byte.
    @inlinable
    public subscript(range: Range<Int>) -> Payload {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        return Payload(block, range: (Int(start) + range.lowerBound)..<(Int(start) + range.upperBound))
    }

    /// The same bytes, copied into a block of their own where they are less than half of their block.
    @inlinable
    public func compacted() -> Payload {
        if count * 2 >= block.count { return self }
        return withUnsafeBytes { Payload(copying: $0) }
    }

    public var bytes: [UInt8] { withUnsafeBytes { [UInt8]($0) } }

    /// The bytes as text; `nil` where they are not UTF-8.
    public var text: String? { String(validating: bytes, as: UTF8.self) }
}

extension Payload: Equatable {
    public static func == (a: Payload, b: Payload) -> Bool {
        guard a.count == b.count else { return false }
        return a.withUnsafeBytes { x in b.withUnsafeBytes { y in x.elementsEqual(y) } }
    }
}

// SPDX-License-Identifier: Apache-2.0

/// An item inside bytes that are known to be well-formed CBOR. Tags are passed over: none changes what is read here.
struct CBORView: AmazonView {
    let bytes: UnsafeRawBufferPointer
    private let head: CBOR.Head
    /// Where its first byte is, behind tags.
    private let start: Int
    /// Behind it.
    let end: Int

    init(validating bytes: UnsafeRawBufferPointer) throws(CBOR.Fault) {
        try CBOR.validate(bytes)
        try self.init(bytes, at: 0)
    }

    private init(_ bytes: UnsafeRawBufferPointer, at start: Int) throws(CBOR.Fault) {
        self.bytes = bytes
        var (at, head) = (start, try CBOR.Head(bytes, at: start))
        while head.major == .tag { (at, head) = (head.next, try CBOR.Head(bytes, at: head.next)) }
        (self.start, self.head) = (at, head)
        switch head.major {
        // Nearly all: no more is looked at than must be.
        case .bytes, .text:
            end = head.isIndefinite ? try CBOR.end(ofItemAt: at, in: bytes) : try head.stringEnd(in: bytes)
        case .unsigned, .negative, .simple: end = head.next
        case .array, .map, .tag: end = try CBOR.end(ofItemAt: at, in: bytes)
        }
    }

    var isObject: Bool { head.major == .map }
    var isList: Bool { head.major == .array }
    /// Null, and undefined.
    var isNull: Bool { bytes[start] == 0xf6 || bytes[start] == 0xf7 }

    var members: Members { Members(items: Items(self, head.major == .map, perEntry: 2)) }
    var elements: Elements { Elements(items: Items(self, head.major == .array, perEntry: 1)) }

    var string: String? {
        guard head.major == .text else { return nil }
        if !head.isIndefinite { return String(utf8: UnsafeRawBufferPointer(rebasing: bytes[head.next..<end])) }
        return String(validating: pieces, as: UTF8.self)
    }

    var integer: Int? { head.major == .unsigned ? Int(exactly: head.argument) : nil }

    func isString(_ other: String) -> Bool {
        guard head.major == .text else { return false }
        guard !head.isIndefinite else { return string == other }
        guard end - head.next == other.utf8.count else { return false }
        var other = other
        return other.withUTF8 { bytes[head.next..<end].elementsEqual($0) }
    }

    func blob(_ decoded: inout DecodedBlobs) -> Blob? {
        guard head.major == .bytes else { return nil }
        return head.isIndefinite ? .own(pieces) : .body(head.next..<end)
    }

    static func decodedBytes(ofBody count: Int) -> Int { 0 }

    /// Of a string in pieces, all of them.
    private var pieces: [UInt8] {
        var all: [UInt8] = []
        var at = head.next
        while let piece = try? CBOR.Head(bytes, at: at), !piece.isBreak, let end = try? piece.stringEnd(in: bytes) {
            all += bytes[piece.next..<end]
            at = end
        }
        return all
    }

    /// Items inside a container, one after the other.
    fileprivate struct Items {
        private let bytes: UnsafeRawBufferPointer
        private var at: Int
        /// `nil`: until the mark.
        private var missing: UInt64?

        init(_ container: CBORView, _ isOne: Bool, perEntry: UInt64) {
            bytes = container.bytes
            at = container.head.next
            missing = isOne ? (container.head.isIndefinite ? nil : container.head.argument * perEntry) : 0
        }

        mutating func next() -> CBORView? {
            if let missing {
                guard missing > 0 else { return nil }
                self.missing = missing - 1
            } else if at >= bytes.count || bytes[at] == CBOR.breakByte {
                return nil
            }
            // Well-formed, as was seen before.
            guard let item = try? CBORView(bytes, at: at) else { return nil }
            at = item.end
            return item
        }
    }

    struct Members: IteratorProtocol {
        fileprivate var items: Items

        mutating func next() -> (name: CBORView, value: CBORView)? {
            guard let name = items.next(), let value = items.next() else { return nil }
            return (name, value)
        }
    }

    struct Elements: IteratorProtocol {
        fileprivate var items: Items

        mutating func next() -> CBORView? { items.next() }
    }
}

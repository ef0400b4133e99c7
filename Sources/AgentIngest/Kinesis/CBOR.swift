// SPDX-License-Identifier: Apache-2.0

/// The form of CBOR (RFC 8949): where items begin and end. Nothing is kept, and nothing recurses.
enum CBOR {
    enum Fault: Error, Equatable {
        /// The bytes end inside an item.
        case truncated
        /// A byte that begins no item where it stands.
        case malformed(offset: Int)
        /// More than ``CBOR/depthLimit`` arrays and maps inside each other.
        case tooDeep
        /// Something after the item.
        case trailing
    }

    static let depthLimit = 32
    static let breakByte: UInt8 = 0xff

    /// The first three bits of an item's first byte.
    enum Major: UInt8 {
        case unsigned, negative, bytes, text, array, map, tag, simple
    }

    /// The begin of an item.
    struct Head {
        let major: Major
        /// A number, a length, or a count; 0 where ``isIndefinite``.
        let argument: UInt64
        /// A string in pieces, or a container whose end is marked; of ``Major/simple``, that mark.
        let isIndefinite: Bool
        /// Where the item goes on.
        let next: Int

        init(_ bytes: UnsafeRawBufferPointer, at start: Int) throws(Fault) {
            guard start < bytes.count else { throw .truncated }
            let first = bytes[start]
            guard let major = Major(rawValue: first >> 5) else { throw .malformed(offset: start) }
            self.major = major
            let short = first & 31
            switch short {
            case ..<24: (argument, isIndefinite, next) = (UInt64(short), false, start + 1)
            case 24...27:
                let length = 1 << Int(short - 24)
                guard bytes.count - start > length else { throw .truncated }
                var value: UInt64 = 0
                for i in start + 1...start + length { value = value << 8 | UInt64(bytes[i]) }
                (argument, isIndefinite, next) = (value, false, start + 1 + length)
            case 31:
                switch major {
                case .unsigned, .negative, .tag: throw .malformed(offset: start)
                case .bytes, .text, .array, .map, .simple: (argument, isIndefinite, next) = (0, true, start + 1)
                }
            default: throw .malformed(offset: start)
            }
        }

        var isBreak: Bool { major == .simple && isIndefinite }

        /// Where a string of known length ends.
        func stringEnd(in bytes: UnsafeRawBufferPointer) throws(Fault) -> Int {
            guard argument <= UInt64(bytes.count - next) else { throw .truncated }
            return next + Int(argument)
        }
    }

    /// Checks that the bytes are one item.
    static func validate(_ bytes: UnsafeRawBufferPointer) throws(Fault) {
        guard try end(ofItemAt: 0, in: bytes) == bytes.count else { throw .trailing }
    }

    /// Where the item ends that begins at `start`.
    static func end(ofItemAt start: Int, in bytes: UnsafeRawBufferPointer) throws(Fault) -> Int {
        var at = start
        var open = OpenContainers()
        var isTagged = false
        while true {
            let head = try Head(bytes, at: at)
            let begin = at
            at = head.next
            switch head.major {
            case .unsigned, .negative: break
            case .bytes, .text: at = try stringEnd(head, in: bytes)
            case .array, .map:
                // An item takes a byte at least, so that no count promises more than there is.
                let perEntry: UInt64 = head.major == .map ? 2 : 1
                guard head.argument <= UInt64(bytes.count - at) / perEntry else { throw .truncated }
                if head.isIndefinite {
                    try open.push(head.major == .map ? .entries(expectsValue: false) : .elements)
                } else if head.argument > 0 {
                    try open.push(.items(Int(head.argument * perEntry)))
                }
                if head.isIndefinite || head.argument > 0 {
                    isTagged = false
                    continue
                }
            case .tag:
                isTagged = true
                continue
            case .simple:
                if head.isBreak {
                    guard !isTagged, open.closeMarked() else { throw .malformed(offset: begin) }
                }
            }
            isTagged = false
            if open.itemEnded() { return at }
        }
    }

    /// Behind a string, also one in pieces: those are strings of its kind and of known length.
    private static func stringEnd(_ head: Head, in bytes: UnsafeRawBufferPointer) throws(Fault) -> Int {
        guard head.isIndefinite else { return try head.stringEnd(in: bytes) }
        var at = head.next
        while true {
            let piece = try Head(bytes, at: at)
            if piece.isBreak { return piece.next }
            guard piece.major == head.major, !piece.isIndefinite else { throw .malformed(offset: at) }
            at = try piece.stringEnd(in: bytes)
        }
    }

    /// The containers that an item is in, as far as they are not whole.
    private struct OpenContainers {
        enum Container {
            /// So many items are to come, 1...
            case items(Int)
            /// An array whose end is marked.
            case elements
            /// A map whose end is marked.
            case entries(expectsValue: Bool)
        }

        private var stack: [Container] = []

        mutating func push(_ container: Container) throws(Fault) {
            guard stack.count < CBOR.depthLimit else { throw .tooDeep }
            stack.append(container)
        }

        /// - Returns: whether the innermost container may end here.
        mutating func closeMarked() -> Bool {
            switch stack.last {
            case .elements, .entries(expectsValue: false):
                stack.removeLast()
                return true
            case .items, .entries, nil: return false
            }
        }

        /// - Returns: whether that was the outermost.
        mutating func itemEnded() -> Bool {
            while let last = stack.last {
                switch last {
                case .items(let missing):
                    guard missing == 1 else {
                        stack[stack.count - 1] = .items(missing - 1)
                        return false
                    }
                    stack.removeLast()
                case .elements: return false
                case .entries(let expectsValue):
                    stack[stack.count - 1] = .entries(expectsValue: !expectsValue)
                    return false
                }
            }
            return true
        }
    }
}

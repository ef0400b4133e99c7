// SPDX-License-Identifier: Apache-2.0

extension JSONView {
    /// Members of an object, one after the other.
    public struct Members: IteratorProtocol, Sequence {
        private var walk: Walk
        private var isOpen: Bool

        init(_ object: JSONView, _ isObject: Bool) {
            walk = Walk(text: object.text, at: object.range.lowerBound + 1)
            isOpen = isObject && !walk.isAtClose
        }

        public mutating func next() -> (name: JSONView, value: JSONView)? {
            guard isOpen else { return nil }
            let name = walk.value()
            walk.skipSeparator()
            let value = walk.value()
            isOpen = !walk.isAtClose
            if isOpen { walk.skipSeparator() }
            return (name, value)
        }
    }

    /// Elements of an array, one after the other.
    public struct Elements: IteratorProtocol, Sequence {
        private var walk: Walk
        private var isOpen: Bool

        init(_ array: JSONView, _ isArray: Bool) {
            walk = Walk(text: array.text, at: array.range.lowerBound + 1)
            isOpen = isArray && !walk.isAtClose
        }

        public mutating func next() -> JSONView? {
            guard isOpen else { return nil }
            let value = walk.value()
            isOpen = !walk.isAtClose
            if isOpen { walk.skipSeparator() }
            return value
        }
    }
}

/// Steps over values of well-formed text. It stops at the end of the text whatever the text is, so that no mistake
/// of a caller makes it read past it.
struct Walk {
    private let text: UnsafeRawBufferPointer
    private var i: Int

    init(text: UnsafeRawBufferPointer, at i: Int) {
        self.text = text
        self.i = i
        skipSpace()
    }

    /// Whether the next byte closes a container.
    var isAtClose: Bool {
        guard i < text.count else { return true }
        return text[i] == UInt8(ascii: "}") || text[i] == UInt8(ascii: "]")
    }

    /// Over a colon or a comma, and the whitespace behind it.
    mutating func skipSeparator() {
        i += 1
        skipSpace()
    }

    /// Over a value and the whitespace behind it.
    mutating func value() -> JSONView {
        let first = min(i, text.count - 1)
        skipValue()
        let value = JSONView(text: text, range: first..<i)
        skipSpace()
        return value
    }

    @inline(__always)
    private mutating func skipSpace() {
        while i < text.count, text[i] <= 0x20 { i &+= 1 }
    }

    private mutating func skipValue() {
        var depth = 0
        while i < text.count {
            let byte = text[i]
            i &+= 1
            switch byte {
            case UInt8(ascii: "\""):
                skipString()
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth &+= 1
                continue
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth &-= 1
            default:
                if depth > 0 { continue }
                skipScalar()
            }
            if depth == 0 { return }
        }
    }

    private mutating func skipScalar() {
        while i < text.count {
            switch text[i] {
            case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"), 0...0x20: return
            default: i &+= 1
            }
        }
    }

    /// From behind the opening quote to behind the closing one.
    @inline(__always)
    private mutating func skipString() {
        while true {
            i = JSONString.special(in: text, from: i)
            guard i < text.count else { return }
            if text[i] == UInt8(ascii: "\"") {
                i &+= 1
                return
            }
            // An escape, with the character behind it.
            i = min(i &+ 2, text.count)
        }
    }
}

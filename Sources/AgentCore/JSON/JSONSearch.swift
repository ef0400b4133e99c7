// SPDX-License-Identifier: Apache-2.0

/// Follows a JSON Pointer while a scanner passes over the text. Where it leads through an array, the search is left to
/// ``JSONView``.
///
/// Only members are followed, so that the value behind n tokens is within n open containers.
struct JSONSearch {
    private let tokens: [String]
    /// Of the token that a name at ``nameDepth`` is compared with: its bytes, and the first of them.
    private var length = 0
    private var first: UInt8 = 0
    private var start = 0

    /// How many containers are open where a name may be the next token; 0: nowhere.
    private(set) var nameDepth = 0
    /// Whether the value that comes is one that the tokens so far lead to.
    private(set) var isHit = false
    /// How many containers are open around the value looked for, while it is passed over; else negative.
    private(set) var valueDepth = -1
    /// Where the value is: the last one, where an object names a member twice.
    private(set) var found: Range<Int>?
    private(set) var isUnsettled = false

    /// Looks for nothing.
    init() { tokens = [] }

    init(_ pointer: JSONPointer) {
        tokens = pointer.tokens
        isHit = true
    }

    /// A name at ``nameDepth``, with its quotes.
    @inline(__always)
    mutating func passed(_ name: UnsafeRawBufferPointer, isEscaped: Bool) {
        if isEscaped || (name.count &- 2 == length && (length == 0 || name[1] == first)) { compare(name) }
    }

    private mutating func compare(_ name: UnsafeRawBufferPointer) {
        guard JSONView(wellFormed: name, range: 0..<name.count).isString(tokens[nameDepth - 1]) else { return }
        isHit = true
        found = nil
        isUnsettled = false
    }

    /// The value of a hit begins at `i`, with `byte`, within `depth` open containers.
    mutating func began(_ byte: UInt8, at i: Int, depth: Int) {
        isHit = false
        if depth == tokens.count {
            start = i
            valueDepth = depth
        } else if byte == UInt8(ascii: "{") {
            nameDepth = depth + 1
            aim()
        } else if byte == UInt8(ascii: "[") {
            isUnsettled = true
        }
    }

    /// The value looked for ends before `i`.
    mutating func ended(at i: Int) {
        found = start..<i
        valueDepth = -1
    }

    /// The object whose names were compared is over.
    mutating func closed() {
        nameDepth -= 1
        if nameDepth > 0 { aim() }
    }

    private mutating func aim() {
        let token = tokens[nameDepth - 1].utf8
        length = token.count
        first = token.first ?? 0
    }
}

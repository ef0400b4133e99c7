// SPDX-License-Identifier: Apache-2.0

/// Bytes that only grow until they are cleared, in one allocation that is kept for the next use: where a request's
/// keys and data are decoded to before any of them is stored.
struct ByteArena: ~Copyable {
    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    private(set) var count = 0

    init(capacity: Int = 1 << 16) {
        base = .allocate(byteCount: capacity, alignment: 16)
        self.capacity = capacity
    }

    deinit { base.deallocate() }

    /// Forgets the bytes; gives memory back where a single large request had taken much of it.
    mutating func clear(keeping limit: Int = 2 << 20) {
        count = 0
        if capacity > limit {
            base.deallocate()
            base = .allocate(byteCount: limit, alignment: 16)
            capacity = limit
        }
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        reserve(bytes.count)
        if let source = bytes.baseAddress { (base + count).copyMemory(from: source, byteCount: bytes.count) }
        count += bytes.count
    }

    /// Hands room for `bound` bytes to `fill`, and keeps as many as it returns; none where it returns `nil`.
    mutating func append(bound: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Int?) -> Int? {
        reserve(bound)
        guard let filled = fill(UnsafeMutableRawBufferPointer(start: base + count, count: bound)) else { return nil }
        precondition(filled <= bound)
        count += filled
        return filled
    }

    /// The bytes of `range`; valid until the arena is next changed.
    func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        return UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count)
    }

    private mutating func reserve(_ extra: Int) {
        guard capacity - count < extra else { return }
        let larger = max(capacity * 2, count + extra)
        let grown = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
        grown.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = grown
        capacity = larger
    }
}

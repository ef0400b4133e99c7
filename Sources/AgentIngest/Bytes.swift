// SPDX-License-Identifier: Apache-2.0

internal import Glibc

extension [UInt8] {
    /// The same bytes, in a block of exactly their size.
    init(copying bytes: UnsafeRawBufferPointer) {
        self = bytes.withMemoryRebound(to: UInt8.self) { Self($0) }
    }

    /// As `withUnsafeBytes`, which does not know typed throws.
    @inline(__always)
    func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try withUnsafeBufferPointer { (all) throws(E) -> R in try body(UnsafeRawBufferPointer(all)) }
    }
}

extension String {
    /// The text of `bytes`; `nil` where they are not UTF-8.
    init?(utf8 bytes: UnsafeRawBufferPointer) {
        // Keys and names are nearly always ASCII, which needs no validation.
        var all: UInt8 = 0
        for byte in bytes { all |= byte }
        if all < 0x80 {
            self.init(decoding: bytes, as: UTF8.self)
        } else {
            self.init(validating: bytes, as: UTF8.self)
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the bytes are `word`, case and all.
    @inline(__always)
    func isSame(as word: StaticString) -> Bool {
        guard count == word.utf8CodeUnitCount, let baseAddress else { return count == word.utf8CodeUnitCount }
        return memcmp(baseAddress, word.utf8Start, count) == 0
    }
}

// SPDX-License-Identifier: Apache-2.0

extension [UInt8] {
    /// The same bytes, in a block of exactly their size.
    init(copying bytes: UnsafeRawBufferPointer) {
        self.init(unsafeUninitializedCapacity: bytes.count) { space, count in
            UnsafeMutableRawBufferPointer(space).copyMemory(from: bytes)
            count = bytes.count
        }
    }

    /// As `withUnsafeBytes`, which does not know typed throws.
    @inline(__always)
    func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try withUnsafeBufferPointer { (all) throws(E) -> R in try body(UnsafeRawBufferPointer(all)) }
    }
}

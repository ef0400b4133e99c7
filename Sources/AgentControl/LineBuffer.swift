// SPDX-License-Identifier: Apache-2.0

/// Bytes as they arrive, given out line by line. Each byte is searched and moved a bounded number of times, however
/// they are cut into blocks and however many lines they hold.
struct LineBuffer {
    private var bytes: [UInt8] = []
    /// Where the next line begins.
    private var start = 0
    /// Up to where no line end is; at least `start`.
    private var searched = 0

    var count: Int { bytes.count - start }
    var isEmpty: Bool { count == 0 }

    mutating func append(_ block: ArraySlice<UInt8>) {
        if start > 0, start >= bytes.count / 2 {
            bytes.removeFirst(start)
            searched -= start
            start = 0
        }
        bytes.append(contentsOf: block)
    }

    /// The next line, without its end; `nil` where none is complete.
    mutating func next() -> [UInt8]? {
        guard let end = bytes[searched...].firstIndex(of: UInt8(ascii: "\n")) else {
            searched = bytes.count
            return nil
        }
        let line = Array(bytes[start..<end])
        start = end + 1
        searched = start
        if start == bytes.count { self = LineBuffer() }
        return line
    }
}

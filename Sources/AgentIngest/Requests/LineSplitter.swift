// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Cuts text into lines, without their ends (`\n` or `\r\n`). Lines of nothing but whitespace are passed over.
struct LineSplitter {
    private let text: UnsafeRawBufferPointer
    private var at = 0
    /// Of the line that ``next()`` gave last, counted from 1, blank ones too.
    private(set) var number = 0

    init(_ text: UnsafeRawBufferPointer) { self.text = text }

    mutating func next() -> Range<Int>? {
        while at < text.count, let base = text.baseAddress {
            if text[at] == 0x0a {
                // Of empty lines there may be millions.
                at += 1
                number += 1
                continue
            }
            let start = at
            let feed = memchr(base + start, 0x0a, text.count - start)
            var end = feed.map { UnsafeRawPointer($0) - base } ?? text.count
            at = end + 1
            number += 1
            if end > start, text[end - 1] == 0x0d { end -= 1 }
            if end > start, text[start] > 0x20 || text[start..<end].contains(where: { $0 != 0x20 && $0 != 0x09 }) {
                return start..<end
            }
        }
        return nil
    }
}

// SPDX-License-Identifier: Apache-2.0

/// Reads what the agent answers, and says how many events it acknowledged.
struct AnswerReader {
    enum Format: Equatable {
        /// `202` with `{"accepted":N,…}` to each request.
        case http
        /// `200` with `{"FailedRecordCount":0,…}` to each request, which had so many records.
        case putRecords(Int)
        /// `{"acked":N}`, N counted from the connection's first line.
        case lines
    }

    private static let headEnd = Array("\r\n\r\n".utf8)
    private static let contentLength = Array("content-length:".utf8)
    private static let accepted = Array(#""accepted":"#.utf8)
    private static let noneFailed = Array(#"{"FailedRecordCount":0,"#.utf8)
    private static let acked = Array(#"{"acked":"#.utf8)

    private let format: Format
    /// The begin of an answer whose rest is still to come.
    private var kept: [UInt8] = []
    private var ackedLines = 0

    init(_ format: Format) { self.format = format }

    /// - Returns: How many events are newly acknowledged.
    /// - Throws: Where the answer is any other than an acknowledgement.
    mutating func read(_ bytes: UnsafeRawBufferPointer) throws(BenchError) -> Int {
        if kept.isEmpty {
            var events = 0
            let used = try take(bytes, &events)
            if used < bytes.count { kept = Array(bytes[used...]) }
            return events
        }
        var joined = kept
        joined.append(contentsOf: bytes)
        var events = 0
        let used: Int
        // Typed throws do not pass through withUnsafeBytes as closures are written here.
        let result: Result<Int, BenchError> = joined.withUnsafeBytes { all in
            do throws(BenchError) { return .success(try take(all, &events)) } catch { return .failure(error) }
        }
        used = try result.get()
        joined.removeFirst(used)
        kept = joined
        return events
    }

    /// - Returns: How many bytes whole answers had.
    private mutating func take(_ bytes: UnsafeRawBufferPointer, _ events: inout Int) throws(BenchError) -> Int {
        var start = 0
        while start < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
            guard let size = try format == .lines ? takeLine(rest, &events) : takeResponse(rest, &events) else { break }
            start += size
        }
        return start
    }

    private func takeResponse(_ bytes: UnsafeRawBufferPointer, _ events: inout Int) throws(BenchError) -> Int? {
        guard let headEnd = Self.find(Self.headEnd, in: bytes, from: 0) else { return nil }
        let bodyStart = headEnd + Self.headEnd.count
        let head = UnsafeRawBufferPointer(rebasing: bytes[..<bodyStart])
        guard let length = Self.find(Self.contentLength, in: head, from: 0, ignoresCase: true) else {
            throw .unintelligible(from: "The agent", String(decoding: bytes.prefix(512), as: UTF8.self))
        }
        let size = bodyStart + Self.number(in: head, from: length + Self.contentLength.count)
        guard bytes.count >= size else { return nil }
        if case .putRecords(let count) = format {
            guard bytes[bodyStart...].starts(with: Self.noneFailed) else {
                throw .refused(String(decoding: bytes.prefix(min(size, 1024)), as: UTF8.self))
            }
            events += count
            return size
        }
        // "HTTP/1.1 202"
        guard bytes.count > 12, bytes[9] == UInt8(ascii: "2"), bytes[10] == UInt8(ascii: "0"),
            bytes[11] == UInt8(ascii: "2"), let accepted = Self.find(Self.accepted, in: bytes, from: bodyStart)
        else { throw .refused(String(decoding: bytes.prefix(min(size, 1024)), as: UTF8.self)) }
        events += Self.number(in: bytes, from: accepted + Self.accepted.count)
        return size
    }

    private mutating func takeLine(_ bytes: UnsafeRawBufferPointer, _ events: inout Int) throws(BenchError) -> Int? {
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        guard bytes[..<end].starts(with: Self.acked) else {
            throw .refused(String(decoding: bytes[..<end], as: UTF8.self))
        }
        let acked = Self.number(in: bytes, from: Self.acked.count)
        events += acked - ackedLines
        ackedLines = acked
        return end + 1
    }

    /// The decimal number at `start`, after spaces.
    private static func number(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var value = 0
        for byte in bytes[start...].drop(while: { $0 == UInt8(ascii: " ") }) {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), value < 1 << 50 else { break }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return value
    }

    /// - Parameter ignoresCase: `wanted` is in lower case, and what is there need not be.
    private static func find(
        _ wanted: [UInt8],
        in bytes: UnsafeRawBufferPointer,
        from start: Int,
        ignoresCase: Bool = false
    ) -> Int? {
        guard start + wanted.count <= bytes.count else { return nil }
        let fold: UInt8 = ignoresCase ? 0x20 : 0
        for index in start...(bytes.count - wanted.count) where bytes[index] | fold == wanted[0] | fold {
            var length = 1
            while length < wanted.count, bytes[index + length] | fold == wanted[length] | fold { length += 1 }
            if length == wanted.count { return index }
        }
        return nil
    }
}

// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// The request line and those header fields that matter here, as ranges of the bytes they came in.
///
/// The parser is strict where leniency lets two programs disagree about where a request ends (RFC 9112 section 11.2):
/// bare line feeds, folded lines, spaces before colons, repeated or doubtful lengths are all refused.
struct RequestHead {
    enum Method { case get, head, post, put, options, other }

    static let maxLineBytes = 8 << 10
    static let maxBytes = 16 << 10
    static let maxFields = 100

    var method = Method.other
    /// As in the request line, with the query, without scheme and authority.
    var path = HeadRange.absent
    /// Behind the question mark.
    var query = HeadRange.absent
    /// HTTP/1.0, not 1.1.
    var isVersion10 = false
    var contentLength: Int?
    var isChunked = false
    /// From the target where that has one, else the field.
    var host = HeadRange.absent
    var origin = HeadRange.absent
    var contentType = HeadRange.absent
    var contentEncoding = HeadRange.absent
    var partitionKey = HeadRange.absent
    var explicitHashKey = HeadRange.absent
    var amazonTarget = HeadRange.absent
    var idempotencyKey = HeadRange.absent
    /// The id of an AWS SDK's call: the same for each of its attempts.
    var invocationID = HeadRange.absent
    /// Of a browser's question whether a page may send something: `Access-Control-Request-…`.
    var preflightMethod = HeadRange.absent
    var preflightFields = HeadRange.absent
    var asksForPrivateNetwork = false
    /// Seconds of `Prefer: wait=N` (RFC 7240, section 4.3).
    var preferredWait: Int?
    var expectsContinue = false
    var wantsClose = false
    var wantsKeepAlive = false
    /// The whole head, with the empty line at its end.
    var byteCount = 0

    /// - Returns: `nil` while the head is not complete.
    static func parse(_ bytes: UnsafeRawBufferPointer) throws(HTTPFault) -> RequestHead? {
        var parser = RequestHeadParser(bytes)
        return try parser.parse()
    }
}

private struct RequestHeadParser {
    private let bytes: UnsafeRawBufferPointer
    private var head = RequestHead()
    private var hostInTarget = false

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func parse() throws(HTTPFault) -> RequestHead? {
        var at = 0
        // RFC 9112 section 2.2: an empty line before the request line is ignored.
        if bytes.count >= 2, bytes[0] == 0x0d, bytes[1] == 0x0a { at = 2 }
        guard let lineEnd = try endOfLine(from: at) else {
            if bytes.count - at > RequestHead.maxLineBytes { throw .targetTooLong }
            return nil
        }
        if lineEnd - at > RequestHead.maxLineBytes { throw .targetTooLong }
        try requestLine(at..<lineEnd)
        at = lineEnd + 2
        var fields = 0
        while true {
            guard let end = try endOfLine(from: at) else {
                if bytes.count > RequestHead.maxBytes { throw .headTooLarge }
                return nil
            }
            if end == at { break }
            fields += 1
            if fields > RequestHead.maxFields || end > RequestHead.maxBytes { throw .headTooLarge }
            try field(at..<end)
            at = end + 2
        }
        head.byteCount = at + 2
        if head.isChunked {
            if head.contentLength != nil { throw .ambiguousLength }
            if head.isVersion10 { throw .transferEncoding }
        }
        if !head.host.isPresent, !head.isVersion10 { throw .host }
        return head
    }

    /// Where the carriage return of the line's end is.
    @inline(__always)
    private func endOfLine(from start: Int) throws(HTTPFault) -> Int? {
        guard let base = bytes.baseAddress, start < bytes.count,
            let found = memchr(base + start, 0x0a, bytes.count - start)
        else { return nil }
        let feed = UnsafeRawPointer(found) - base
        guard feed > start, bytes[feed - 1] == 0x0d else { throw .bareLineFeed }
        return feed - 1
    }

    private func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[range])
    }

    private mutating func requestLine(_ line: Range<Int>) throws(HTTPFault) {
        var at = line.lowerBound
        while at < line.upperBound, FieldBytes.isToken(bytes[at]) { at += 1 }
        guard at > line.lowerBound, at < line.upperBound, bytes[at] == 0x20 else { throw .requestLine }
        head.method = Self.method(slice(line.lowerBound..<at))
        let target = at + 1
        at = target
        var question = -1
        while at < line.upperBound {
            let byte = bytes[at]
            if byte == 0x20 { break }
            if byte < 0x21 || byte > 0x7e || byte == UInt8(ascii: "#") { throw .requestLine }
            if byte == UInt8(ascii: "?"), question < 0 { question = at }
            at += 1
        }
        guard at > target, line.upperBound - at == 9 else {
            throw at > target ? version(at, line.upperBound) : .requestLine
        }
        if let fault = versionFault(at + 1) { throw fault }
        try split(target: target..<at, question: question)
    }

    /// Sets whether the eight bytes at `at` say HTTP/1.0.
    private mutating func versionFault(_ at: Int) -> HTTPFault? {
        guard slice(at..<at + 5).isSame(as: "HTTP/"), FieldBytes.isDigit(bytes[at + 5]),
            bytes[at + 6] == UInt8(ascii: "."), FieldBytes.isDigit(bytes[at + 7])
        else { return .requestLine }
        if bytes[at + 5] != UInt8(ascii: "1") { return .version }
        head.isVersion10 = bytes[at + 7] == UInt8(ascii: "0")
        return nil
    }

    private func version(_ at: Int, _ end: Int) -> HTTPFault {
        let rest = slice(min(at + 1, end)..<end)
        return rest.count > 5 && UnsafeRawBufferPointer(rebasing: rest[..<5]).isSame(as: "HTTP/")
            && !rest.contains(0x20)
            ? .version : .requestLine
    }

    private static func method(_ name: UnsafeRawBufferPointer) -> RequestHead.Method {
        switch name.count {
        case 3:
            if name.isSame(as: "PUT") { return .put }
            return name.isSame(as: "GET") ? .get : .other
        case 4:
            if name.isSame(as: "POST") { return .post }
            return name.isSame(as: "HEAD") ? .head : .other
        case 7: return name.isSame(as: "OPTIONS") ? .options : .other
        default: return .other
        }
    }

    /// Takes origin form (`/path?query`) and absolute form (`http://host/path?query`); `*` is only for OPTIONS.
    private mutating func split(target: Range<Int>, question: Int) throws(HTTPFault) {
        let pathEnd = question < 0 ? target.upperBound : question
        if question >= 0 { head.query = HeadRange(question + 1..<target.upperBound) }
        if bytes[target.lowerBound] == UInt8(ascii: "/") {
            head.path = HeadRange(target.lowerBound..<pathEnd)
            return
        }
        if target.count == 1, bytes[target.lowerBound] == UInt8(ascii: "*") {
            head.path = HeadRange(target)
            return
        }
        let scheme = 7
        guard pathEnd - target.lowerBound > scheme,
            FieldBytes.equal(slice(target.lowerBound..<target.lowerBound + scheme), "http://")
        else { throw .requestLine }
        let authority = target.lowerBound + scheme
        let slash = bytes[authority..<pathEnd].firstIndex(of: UInt8(ascii: "/")) ?? pathEnd
        guard HostName.isValid(slice(authority..<slash)) else { throw .host }
        head.host = HeadRange(authority..<slash)
        hostInTarget = true
        head.path = HeadRange(slash..<pathEnd)
    }

    @inline(__always)
    private mutating func field(_ line: Range<Int>) throws(HTTPFault) {
        var at = line.lowerBound
        if FieldBytes.isWhitespace(bytes[at]) { throw .folding }
        while at < line.upperBound, FieldBytes.isToken(bytes[at]) { at &+= 1 }
        guard at > line.lowerBound, at < line.upperBound, bytes[at] == UInt8(ascii: ":") else { throw .fieldName }
        let name = slice(line.lowerBound..<at)
        var start = at + 1
        var end = line.upperBound
        while start < end, FieldBytes.isWhitespace(bytes[start]) { start &+= 1 }
        while end > start, FieldBytes.isWhitespace(bytes[end &- 1]) { end &-= 1 }
        let value = slice(start..<end)
        guard FieldBytes.isValue(value) else { throw .fieldValue }
        try note(name, value, HeadRange(start..<end))
    }

    @inline(__always)
    private mutating func note(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ range: HeadRange)
        throws(HTTPFault)
    {
        switch name.count {
        case 4 where FieldBytes.equal(name, "host"):
            try host(value, range)
        case 6:
            if FieldBytes.equal(name, "origin") { try once(&head.origin, range) }
            if FieldBytes.equal(name, "expect") {
                guard FieldBytes.equal(value, "100-continue") else { throw .expectation }
                // RFC 9110 section 10.1.1: not from an HTTP/1.0 client.
                head.expectsContinue = !head.isVersion10
            }
            if FieldBytes.equal(name, "prefer"), head.preferredWait == nil {
                head.preferredWait = FieldBytes.preference(value, "wait")
            }
        case 10 where FieldBytes.equal(name, "connection"):
            if FieldBytes.list(value, contains: "close") { head.wantsClose = true }
            if FieldBytes.list(value, contains: "keep-alive") { head.wantsKeepAlive = true }
        case 12:
            if FieldBytes.equal(name, "content-type") { try once(&head.contentType, range) }
            if FieldBytes.equal(name, "x-amz-target") { try once(&head.amazonTarget, range) }
        case 14 where FieldBytes.equal(name, "content-length"):
            try contentLength(value)
        case 15:
            if FieldBytes.equal(name, "x-partition-key") { try once(&head.partitionKey, range) }
            if FieldBytes.equal(name, "idempotency-key") { try once(&head.idempotencyKey, range) }
        case 16 where FieldBytes.equal(name, "content-encoding"):
            try once(&head.contentEncoding, range)
        case 17 where FieldBytes.equal(name, "transfer-encoding"):
            if head.isChunked { throw .transferEncoding }
            guard FieldBytes.equal(value, "chunked") else { throw .unknownTransferEncoding }
            head.isChunked = true
        case 19 where FieldBytes.equal(name, "x-explicit-hash-key"):
            try once(&head.explicitHashKey, range)
        case 21:
            // PHP's has a name of its own.
            if FieldBytes.equal(name, "amz-sdk-invocation-id") || FieldBytes.equal(name, "aws-sdk-invocation-id") {
                try once(&head.invocationID, range)
            }
        case 29 where FieldBytes.equal(name, "access-control-request-method"):
            try once(&head.preflightMethod, range)
        case 30 where FieldBytes.equal(name, "access-control-request-headers"):
            try once(&head.preflightFields, range)
        case 38 where FieldBytes.equal(name, "access-control-request-private-network"):
            head.asksForPrivateNetwork = FieldBytes.equal(value, "true")
        default: break
        }
    }

    private func once(_ place: inout HeadRange, _ range: HeadRange) throws(HTTPFault) {
        if place.isPresent { throw .duplicateField }
        place = range
    }

    private mutating func host(_ value: UnsafeRawBufferPointer, _ range: HeadRange) throws(HTTPFault) {
        guard HostName.isValid(value) else { throw .host }
        if hostInTarget {
            // RFC 9112 section 3.2.2: the target's authority counts; a second field is still one too many.
            hostInTarget = false
            return
        }
        if head.host.isPresent { throw .host }
        head.host = range
    }

    private mutating func contentLength(_ value: UnsafeRawBufferPointer) throws(HTTPFault) {
        guard !value.isEmpty, value.allSatisfy(FieldBytes.isDigit) else { throw .contentLength }
        var length = 0
        for digit in value {
            // What does not fit is too large for every limit.
            length = length > Int.max / 10 - 1 ? Int.max / 10 : length * 10 + Int(digit & 15)
        }
        if let known = head.contentLength, known != length { throw .contentLength }
        head.contentLength = length
    }
}

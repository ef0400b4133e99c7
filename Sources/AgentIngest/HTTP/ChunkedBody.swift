// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// Takes a chunked body (RFC 9112 section 7.1) apart, in pieces as they come.
///
/// Extensions are skipped, and bounded, because they cost work and no limit on bodies counts them; so are trailers.
struct ChunkedBody {
    static let maxExtensionBytes = 1 << 10
    static let maxTrailerBytes = 8 << 10

    enum Progress: Equatable {
        case more
        case finished
        /// The body would be longer than its limit.
        case tooLarge
    }

    private enum State {
        case size(digits: Int)
        /// Spaces behind the size: some programs pad it.
        case padding
        case chunkExtension
        case sizeFeed
        case data
        case dataReturn, dataFeed
        case trailer(lineIsEmpty: Bool)
        case trailerFeed(lineWasEmpty: Bool)
        case finished
    }

    private var state = State.size(digits: 0)
    private var remaining = 0
    private var extensionBytes = 0
    private var trailerBytes = 0

    /// Appends the data in `bytes` to `body`, which does not grow past `limit`.
    /// - Parameter consumed: how many bytes belonged to this body.
    mutating func take(
        _ bytes: UnsafeRawBufferPointer,
        into body: inout [UInt8],
        limit: Int,
        consumed: inout Int
    ) throws(HTTPFault) -> Progress {
        consumed = 0
        while consumed < bytes.count {
            if case .data = state {
                let count = min(remaining, bytes.count - consumed)
                body.append(contentsOf: bytes[consumed..<consumed + count])
                consumed += count
                remaining -= count
                if remaining == 0 { state = .dataReturn }
                continue
            }
            let byte = bytes[consumed]
            consumed += 1
            state = try next(byte)
            if case .finished = state { return .finished }
            if case .data = state, remaining > limit - body.count { return .tooLarge }
        }
        return .more
    }

    private mutating func next(_ byte: UInt8) throws(HTTPFault) -> State {
        switch state {
        case .size(let digits):
            if let digit = Hexadecimal.value(byte) {
                // 15 digits: far past every limit, and no overflow.
                guard digits < 15 else { throw .chunk }
                remaining = remaining << 4 | Int(digit)
                return .size(digits: digits + 1)
            }
            guard digits > 0 else { throw .chunk }
            if byte == 0x0d { return .sizeFeed }
            return try behindSize(byte)
        case .padding:
            extensionBytes += 1
            if extensionBytes > Self.maxExtensionBytes { throw .chunkExtension }
            return byte == 0x0d ? .sizeFeed : try behindSize(byte)
        case .chunkExtension:
            extensionBytes += 1
            if extensionBytes > Self.maxExtensionBytes { throw .chunkExtension }
            if byte == 0x0d { return .sizeFeed }
            guard byte >= 0x20 && byte != 0x7f || byte == 0x09 else { throw .chunkExtension }
            return .chunkExtension
        case .sizeFeed:
            guard byte == 0x0a else { throw .chunk }
            return remaining == 0 ? .trailer(lineIsEmpty: true) : .data
        case .dataReturn:
            guard byte == 0x0d else { throw .chunk }
            return .dataFeed
        case .dataFeed:
            guard byte == 0x0a else { throw .chunk }
            return .size(digits: 0)
        case .trailer(let lineIsEmpty):
            trailerBytes += 1
            if trailerBytes > Self.maxTrailerBytes { throw .trailerTooLarge }
            if byte == 0x0d { return .trailerFeed(lineWasEmpty: lineIsEmpty) }
            guard byte >= 0x20 && byte != 0x7f || byte == 0x09 else { throw .chunk }
            return .trailer(lineIsEmpty: false)
        case .trailerFeed(let lineWasEmpty):
            guard byte == 0x0a else { throw .chunk }
            return lineWasEmpty ? .finished : .trailer(lineIsEmpty: true)
        case .data, .finished:
            throw .chunk
        }
    }

    private func behindSize(_ byte: UInt8) throws(HTTPFault) -> State {
        if byte == UInt8(ascii: ";") { return .chunkExtension }
        guard FieldBytes.isWhitespace(byte) else { throw .chunk }
        return .padding
    }
}

// SPDX-License-Identifier: Apache-2.0

/// What makes bytes no acceptable HTTP/1 request. Where one request ends and the next begins is then unknown, so the
/// connection is closed after the answer.
enum HTTPFault: Error, Hashable {
    case requestLine
    case version
    case targetTooLong
    case headTooLarge
    case fieldName
    case fieldValue
    /// A line that goes on with whitespace (RFC 9112 section 5.2).
    case folding
    /// A line feed without a carriage return before it.
    case bareLineFeed
    case host
    case contentLength
    case transferEncoding
    case unknownTransferEncoding
    /// Both Content-Length and Transfer-Encoding: somebody may be smuggling.
    case ambiguousLength
    case duplicateField
    case expectation
    case chunk
    case chunkExtension
    case trailerTooLarge
}

extension Refusal {
    init(_ fault: HTTPFault) {
        switch fault {
        case .requestLine: self.init(400, "malformed_request", "The request line is not HTTP/1.1.")
        case .version: self.init(505, "http_version", "Speak HTTP/1.1, or HTTP/2 from its preface on.")
        case .targetTooLong:
            self.init(414, "uri_too_long", "The request line is longer than \(RequestHead.maxLineBytes) bytes.")
        case .headTooLarge:
            self.init(
                431,
                "header_too_large",
                "The header is larger than \(RequestHead.maxBytes) bytes or has more than \(RequestHead.maxFields) fields."
            )
        case .fieldName: self.init(400, "malformed_request", "A header field has no valid name before its colon.")
        case .fieldValue: self.init(400, "malformed_request", "A header field's value has a control character.")
        case .folding: self.init(400, "malformed_request", "A header field goes over more than one line.")
        case .bareLineFeed: self.init(400, "malformed_request", "A line ends without carriage return.")
        case .host: self.init(400, "malformed_request", "The request needs exactly one valid Host.")
        case .contentLength: self.init(400, "malformed_request", "Content-Length is no number, or given twice.")
        case .transferEncoding:
            self.init(400, "malformed_request", "Transfer-Encoding is not possible in HTTP/1.0, nor given twice.")
        case .unknownTransferEncoding:
            self.init(501, "transfer_encoding", "The only Transfer-Encoding understood is 'chunked'.")
        case .ambiguousLength:
            self.init(400, "malformed_request", "The request has both Content-Length and Transfer-Encoding.")
        case .duplicateField:
            self.init(400, "malformed_request", "A header field that may be there once is there twice.")
        case .expectation: self.init(417, "expectation_failed", "The only Expect understood is '100-continue'.")
        case .chunk: self.init(400, "malformed_chunk", "The chunked body is malformed.")
        case .chunkExtension: self.init(400, "malformed_chunk", "A chunk's extensions are malformed or too long.")
        case .trailerTooLarge: self.init(431, "header_too_large", "The trailer of the chunked body is too large.")
        }
    }
}

// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import NIOHTTP1

@testable import AgentIngest

/// What a decoder makes of a stream of bytes.
struct DecodedStream {
    struct Request: Equatable {
        var method: String
        /// As it was sent.
        var target: String
        var host: String?
        var contentType: String?
        var body: [UInt8] = []
    }

    /// Those that came whole.
    var requests: [Request] = []
    /// Heads that were understood, of requests that came whole or did not.
    var heads = 0
    /// Why it reads no further; `nil`: it waits for more, or one said that it was the last.
    var fault: String?

    /// What our own reader makes of it.
    static func ours(_ bytes: [UInt8]) -> DecodedStream {
        var stream = DecodedStream()
        bytes.withUnsafeBytes { all in
            var rest = all
            do {
                while let head = try RequestHead.parse(rest) {
                    let text = UnsafeRawBufferPointer(rebasing: rest[..<head.byteCount])
                    rest = UnsafeRawBufferPointer(rebasing: rest[head.byteCount...])
                    stream.heads += 1
                    var request = Request(head, text)
                    if head.isChunked {
                        var (chunks, consumed) = (ChunkedBody(), 0)
                        let progress = try chunks.take(rest, into: &request.body, limit: .max, consumed: &consumed)
                        guard progress == .finished else { return }
                        rest = UnsafeRawBufferPointer(rebasing: rest[consumed...])
                    } else {
                        let length = head.contentLength ?? 0
                        guard length <= rest.count else { return }
                        request.body = Array(rest[..<length])
                        rest = UnsafeRawBufferPointer(rebasing: rest[length...])
                    }
                    stream.requests.append(request)
                    if head.wantsClose || head.isVersion10 && !head.wantsKeepAlive { return }
                }
            } catch {
                stream.fault = "\(error)"
            }
        }
        return stream
    }

    /// What the decoder of NIOHTTP1 makes of it.
    ///
    /// - Parameter cuts: lengths of the pieces in which the stream arrives, over and over.
    static func theirs(_ bytes: [UInt8], cuts: [Int]) -> DecodedStream {
        let channel = EmbeddedChannel()
        var stream = DecodedStream()
        do {
            try channel.pipeline.syncOperations.addHandler(
                ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes))
            )
            var (at, turn) = (0, 0)
            while at < bytes.count {
                let end = min(at + cuts[turn % cuts.count], bytes.count)
                try channel.writeInbound(ByteBuffer(bytes: bytes[at..<end]))
                (at, turn) = (end, turn + 1)
            }
        } catch {
            stream.fault = "\(error)"
        }
        var open: Request?
        while let part = try? channel.readInbound(as: HTTPServerRequestPart.self) {
            switch part {
            case .head(let head):
                stream.heads += 1
                open = Request(
                    method: head.method.rawValue,
                    target: head.uri,
                    host: head.uri.hasPrefix("http") ? nil : head.headers.first(name: "host"),
                    contentType: head.headers.first(name: "content-type")
                )
            case .body(let bytes): open?.body += Array(bytes.readableBytesView)
            case .end:
                if let request = open { stream.requests.append(request) }
                open = nil
            }
        }
        _ = try? channel.finish(acceptAlreadyClosed: true)
        return stream
    }
}

extension DecodedStream.Request {
    fileprivate init(_ head: RequestHead, _ text: UnsafeRawBufferPointer) {
        func string(_ range: HeadRange) -> String? {
            range.isPresent ? String(decoding: range.bytes(in: text), as: UTF8.self) : nil
        }
        let line = text.drop { $0 == 0x0d || $0 == 0x0a }.prefix { $0 != 0x0d }.split(separator: 0x20)
        method = head.method == .other ? String(decoding: line[0], as: UTF8.self) : "\(head.method)".uppercased()
        target = (string(head.path) ?? "") + (string(head.query).map { "?" + $0 } ?? "")
        let sent = String(decoding: line[1], as: UTF8.self)
        // Of a target with scheme and authority, the rest is what our reader keeps; and the field is no host then.
        if sent.lowercased().hasPrefix("http://"), sent.hasSuffix(target) {
            target = sent
            host = nil
        } else {
            host = string(head.host)
        }
        contentType = string(head.contentType)
    }
}

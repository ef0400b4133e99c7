// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

/// The bytes of one request, built once; before each use the numbers of its events are changed in place.
struct RequestTemplate {
    enum Kind: String, CaseIterable, ExpressibleByArgument {
        /// An event a request.
        case posts
        /// Several events a request, one a line.
        case ndjson
        /// PutRecords of the Kinesis API, as an AWS SDK sends it in JSON. The data stays the same: in base64 its numbers
        /// are not in one place.
        case putrecords
        /// Lines on the Unix socket: a request is what is written at once.
        case lines
    }

    private struct Site {
        enum Kind { case id, user, stream }

        let event: Int
        let kind: Kind
        let offset: Int
    }

    private(set) var bytes: [UInt8] = []
    let events: Int
    private var sites: [Site] = []
    /// Users are below this.
    private let users: Int
    /// Stream numbers are below this; 0: the name has none.
    private let streams: Int
    /// As a post is; lines each name their own.
    private let isForOneStream: Bool

    /// - Parameters:
    ///   - events: In a request; 1 for ``Kind/posts``.
    ///   - keys: How many partition keys there are; 0: requests give none. NDJSON requests never do: there the stream
    ///     has the key's place in the event, ``EventText/userPointer``.
    ///   - streams: Where more than 0, `stream` is but the begin of their names, as of ``NumberedStreams``; requests, or
    ///     lines, go round them.
    init(_ kind: Kind, stream: String, streams: Int = 0, host: String, event: EventText, events: Int, keys: Int) {
        self.events = events
        self.streams = streams
        isForOneStream = kind != .lines
        users = keys > 0 ? keys : 100_000_000
        let user = "u-" + String(repeating: "0", count: EventText.userDigits)
        func appendEvent(_ index: Int) {
            sites.append(Site(event: index, kind: .id, offset: bytes.count + event.idOffset))
            sites.append(Site(event: index, kind: .user, offset: bytes.count + event.userOffset))
            bytes += event.bytes
        }
        func appendUser(_ index: Int) {
            bytes += user.utf8
            sites.append(Site(event: index, kind: .user, offset: bytes.count - EventText.userDigits))
        }
        func appendStream(_ index: Int) {
            bytes += stream.utf8
            guard streams > 0 else { return }
            sites.append(Site(event: index, kind: .stream, offset: bytes.count))
            bytes += String(repeating: "0", count: NumberedStreams.digits).utf8
        }
        func appendHead(_ contentType: String) {
            bytes += "POST /v1/streams/".utf8
            appendStream(0)
            bytes += "/events HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: agent-bench\r\n".utf8
            bytes += "Content-Type: \(contentType)\r\n".utf8
        }
        switch kind {
        case .posts:
            appendHead("application/json")
            if keys > 0 {
                bytes += "X-Partition-Key: ".utf8
                appendUser(0)
                bytes += "\r\n".utf8
            }
            bytes += "Content-Length: \(event.bytes.count)\r\n\r\n".utf8
            appendEvent(0)
        case .ndjson:
            let length = (event.bytes.count + 1) * events
            appendHead("application/x-ndjson")
            bytes += "Content-Length: \(length)\r\n\r\n".utf8
            for index in 0..<events {
                appendEvent(index)
                bytes.append(UInt8(ascii: "\n"))
            }
        case .putrecords:
            let data = Self.base64(event.bytes)
            // The body's length stands before it, and depends on nothing but these.
            let (begin, between, end) = ("{\"Data\":\"\(data)\",\"PartitionKey\":\"", "\"},", "\"}")
            let name = stream + (streams > 0 ? String(repeating: "0", count: NumberedStreams.digits) : "")
            var length = (begin.utf8.count + user.utf8.count + between.utf8.count) * events - 1
            length += "{\"StreamName\":\"\(name)\",\"Records\":[]}".utf8.count
            bytes += "POST / HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: agent-bench\r\n".utf8
            bytes += "Content-Type: application/x-amz-json-1.1\r\n".utf8
            bytes += "X-Amz-Target: Kinesis_20131202.PutRecords\r\n".utf8
            bytes += "Content-Length: \(length)\r\n\r\n{\"StreamName\":\"".utf8
            appendStream(0)
            bytes += "\",\"Records\":[".utf8
            for index in 0..<events {
                bytes += begin.utf8
                appendUser(index)
                bytes += (index < events - 1 ? between : end).utf8
            }
            bytes += "]}".utf8
        case .lines:
            for index in 0..<events {
                bytes += "{\"stream\":\"".utf8
                appendStream(index)
                bytes += "\",".utf8
                if keys > 0 {
                    bytes += "\"partition_key\":\"".utf8
                    appendUser(index)
                    bytes += "\",".utf8
                }
                bytes += "\"event\":".utf8
                appendEvent(index)
                bytes += "}\n".utf8
            }
        }
    }

    /// Gives the events the numbers from `first` on, and each a user that looks random and depends on its number alone.
    mutating func renumber(from first: Int) {
        bytes.withUnsafeMutableBufferPointer { bytes in
            for site in sites {
                let number = first + site.event
                switch site.kind {
                case .id: Self.write(number, EventText.idDigits, to: bytes, at: site.offset)
                case .user:
                    let user = Int(Self.scattered(UInt64(number)) % UInt64(users))
                    Self.write(user, EventText.userDigits, to: bytes, at: site.offset)
                case .stream:
                    let turn = isForOneStream ? first / events : number
                    Self.write(turn % streams, NumberedStreams.digits, to: bytes, at: site.offset)
                }
            }
        }
    }

    private static func write(
        _ number: Int,
        _ digits: Int,
        to bytes: UnsafeMutableBufferPointer<UInt8>,
        at offset: Int
    ) {
        var rest = UInt64(number)
        for index in stride(from: offset + digits - 1, through: offset, by: -1) {
            bytes[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let part = bytes[start..<min(start + 3, bytes.count)]
            let group = part.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - part.count))
            for place in 0..<4 {
                text.append(place > part.count ? UInt8(ascii: "=") : alphabet[group >> (18 - 6 * place) & 63])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The mixing step of SplitMix64.
    private static func scattered(_ number: UInt64) -> UInt64 {
        var z = number &+ 0x9e37_79b9_7f4a_7c15
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

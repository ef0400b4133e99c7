// SPDX-License-Identifier: Apache-2.0

/// The bytes of one request, built once; before each use the numbers of its events are changed in place.
struct RequestTemplate {
    enum Kind: String, CaseIterable {
        /// An event a request.
        case posts
        /// Several events a request, one a line.
        case ndjson
        /// Lines on the Unix socket: a request is what is written at once.
        case lines
    }

    private struct Site {
        let event: Int
        let isID: Bool
        let offset: Int
    }

    private(set) var bytes: [UInt8] = []
    let events: Int
    private var sites: [Site] = []
    /// Users are below this.
    private let users: Int

    /// - Parameters:
    ///   - events: In a request; 1 for ``Kind/posts``.
    ///   - keys: How many partition keys there are; 0: requests give none. NDJSON requests never do: there the stream
    ///     has the key's place in the event, ``EventText/userPointer``.
    init(_ kind: Kind, stream: String, host: String, event: EventText, events: Int, keys: Int) {
        self.events = events
        users = keys > 0 ? keys : 100_000_000
        let user = "u-" + String(repeating: "0", count: EventText.userDigits)
        func appendEvent(_ index: Int) {
            sites.append(Site(event: index, isID: true, offset: bytes.count + event.idOffset))
            sites.append(Site(event: index, isID: false, offset: bytes.count + event.userOffset))
            bytes += event.bytes
        }
        func appendUser(_ index: Int) {
            bytes += user.utf8
            sites.append(Site(event: index, isID: false, offset: bytes.count - EventText.userDigits))
        }
        let head = "POST /v1/streams/\(stream)/events HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: agent-bench\r\n"
        switch kind {
        case .posts:
            bytes += (head + "Content-Type: application/json\r\n").utf8
            if keys > 0 {
                bytes += "X-Partition-Key: ".utf8
                appendUser(0)
                bytes += "\r\n".utf8
            }
            bytes += "Content-Length: \(event.bytes.count)\r\n\r\n".utf8
            appendEvent(0)
        case .ndjson:
            let length = (event.bytes.count + 1) * events
            bytes += (head + "Content-Type: application/x-ndjson\r\nContent-Length: \(length)\r\n\r\n").utf8
            for index in 0..<events {
                appendEvent(index)
                bytes.append(UInt8(ascii: "\n"))
            }
        case .lines:
            for index in 0..<events {
                bytes += "{\"stream\":\"\(stream)\",".utf8
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
                if site.isID {
                    Self.write(number, EventText.idDigits, to: bytes, at: site.offset)
                } else {
                    let user = Int(Self.scattered(UInt64(number)) % UInt64(users))
                    Self.write(user, EventText.userDigits, to: bytes, at: site.offset)
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

    /// The mixing step of SplitMix64.
    private static func scattered(_ number: UInt64) -> UInt64 {
        var z = number &+ 0x9e37_79b9_7f4a_7c15
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

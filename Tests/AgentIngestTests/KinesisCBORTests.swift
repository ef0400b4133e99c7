// SPDX-License-Identifier: Apache-2.0

import AgentCore
import NIOCore
import NIOEmbedded
import Testing

@testable import AgentIngest

struct KinesisCBORTests {
    /// As SDKs for Java write it: maps without a length, blobs as byte strings.
    static let putRecord =
        [0xbf] + text("StreamName") + text("clicks") + text("Data") + [0x45, 0, 0xff, 0x41, 0x80, 0x0a]
        + text("PartitionKey") + text("ké") + text("ExplicitHashKey") + [0xf6] + [0xff]

    static func text(_ text: String) -> [UInt8] {
        (text.utf8.count < 24 ? [0x60 | UInt8(text.utf8.count)] : [0x78, UInt8(text.utf8.count)]) + Array(text.utf8)
    }

    private static func request(_ operation: String, _ body: [UInt8]) -> [UInt8] {
        Array(
            """
            POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-cbor-1.1\r\n\
            X-Amz-Target: Kinesis_20131202.\(operation)\r\nContent-Length: \(body.count)\r\n\r\n
            """.utf8
        ) + body
    }

    /// Status, body and the error's name.
    private static func send(_ operation: String, _ body: [UInt8]) throws -> (Int, [UInt8], String?, ScriptedQueue) {
        let server = TestServer()
        let connection = try server.connect()
        try connection.send(request(operation, body))
        var bytes: [UInt8] = []
        while let buffer = try connection.channel.readOutbound(as: ByteBuffer.self) {
            bytes += buffer.readableBytesView
        }
        let end = try #require(bytes.firstRange(of: Array("\r\n\r\n".utf8)))
        let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
        #expect(head.contains("Content-Type: application/x-amz-cbor-1.1"))
        let status = try #require(Int(head.split(separator: " ")[1]))
        let answer = Array(bytes[end.upperBound...])
        let name = try member("__type", of: answer)
        return (status, answer, name, server.queue)
    }

    private static func member(_ name: String, of bytes: [UInt8]) throws -> String? {
        try bytes.withUnsafeBytes { bytes in
            var members = try CBORView(validating: bytes).members
            while let member = members.next() {
                if member.name.isString(name) { return member.value.string }
            }
            return nil
        }
    }

    @Test func aRecordIsKeptAsItIsAndAnsweredInCBOR() throws {
        let (status, answer, _, queue) = try Self.send("PutRecord", Self.putRecord)
        #expect(status == 200)
        #expect(try Self.member("SequenceNumber", of: answer) == "1")
        #expect(try Self.member("ShardId", of: answer) == "buffered")
        #expect(queue.stored.map(\.data.bytes) == [[0, 255, 0x41, 0x80, 0x0a]])
        #expect(queue.stored.map(\.key) == [EventKey(partitionKey: "ké")])
    }

    @Test func recordsInPiecesWithTagsAndLengthsAreUnderstood() throws {
        let first =
            [0xa2] + Self.text("Data") + [0x5f, 0x41, 1, 0x42, 2, 3, 0xff] + Self.text("PartitionKey")
            + [0x7f, 0x61, 0x61, 0x61, 0x62, 0xff]
        let second = [0xbf] + Self.text("PartitionKey") + Self.text("c") + Self.text("Data") + [0xd6, 0x41, 9, 0xff]
        let body =
            [0xa2] + Self.text("Records") + [0x82] + first + second + Self.text("StreamName") + Self.text("clicks")
        let (status, answer, _, queue) = try Self.send("PutRecords", body)
        #expect(status == 200)
        #expect(Array(answer.prefix(20)) == [0xbf] + Self.text("FailedRecordCount") + [0])
        #expect(queue.stored.map(\.data.bytes) == [[1, 2, 3], [9]])
        #expect(queue.stored.map(\.key.partitionKey) == ["ab", "c"])
    }

    @Test func timesAreMillisecondsUnderTheirTag() throws {
        var writer = AmazonCBORWriter(capacity: 8)
        writer.time(milliseconds: 1_000)
        writer.number(-2)
        #expect(writer.bytes == [0xc1, 0x19, 0x03, 0xe8, 0x21])
        let (status, answer, _, _) = try Self.send(
            "DescribeStreamSummary",
            [0xa1] + Self.text("StreamName") + Self.text("clicks")
        )
        #expect(status == 200)
        #expect(answer.firstRange(of: Self.text("StreamCreationTimestamp") + [0xc1, 0]) != nil)
    }

    @Test func faultsAreToldInCBOR() throws {
        let text =
            [0xa3] + Self.text("StreamName") + Self.text("clicks") + Self.text("PartitionKey") + Self.text("k")
            + Self.text("Data") + Self.text("text")
        for (body, name) in [
            ([], "SerializationException"), ([0xff], "SerializationException"), (text, "SerializationException"),
            (Self.putRecord + [0], "SerializationException"),
            (Array(Self.putRecord.dropLast()), "SerializationException"),
            ([0xa0], "InvalidArgumentException"),
            ([0xa1] + Self.text("StreamName") + Self.text("none"), "ResourceNotFoundException"),
            ([0xa1] + Self.text("StreamName") + Self.text("clicks"), "ValidationException"),
        ] {
            let (status, _, told, queue) = try Self.send("PutRecord", body)
            #expect((status, told) == (400, name))
            #expect(queue.stored.isEmpty)
        }
    }

    // MARK: The format

    private static func fault(_ bytes: [UInt8]) -> CBOR.Fault? {
        bytes.withUnsafeBytes { bytes in
            do throws(CBOR.Fault) {
                try CBOR.validate(bytes)
                return nil
            } catch {
                return error
            }
        }
    }

    @Test(
        arguments: [
            [0x00], [0x1b, 255, 255, 255, 255, 255, 255, 255, 255], [0x38, 1], [0xf9, 0, 0],
            [0xfb, 0, 0, 0, 0, 0, 0, 0, 0],
            [0xf8, 32], [0x9f, 0xff], [0xbf, 0xff], [0x80], [0xa0], [0x5f, 0xff], [0xc1, 0xc1, 0x00],
            [0x82, 0x80, 0xa0],
            [0xbf, 0x61, 0x61, 0x9f, 0x01, 0xff, 0xff],
        ] as [[UInt8]]
    )
    func theseAreWellFormed(bytes: [UInt8]) { #expect(Self.fault(bytes) == nil) }

    @Test(
        arguments: [
            [], [0x18], [0x1c], [0x1f], [0x3f], [0xdf], [0xff], [0x61], [0x5f, 0x61, 0x61, 0xff],
            [0x5f, 0x5f, 0xff, 0xff],
            [0x81], [0xa1, 0x00], [0xbf, 0x00, 0xff], [0x9f], [0x81, 0xff], [0xc1, 0xff], [0x9f, 0xc1, 0xff],
            [0xa1, 0x00, 0xff],
            [0x9b, 255, 255, 255, 255, 255, 255, 255, 255], [0xbb, 127, 255, 255, 255, 255, 255, 255, 255],
            [0x5b, 255, 255, 255, 255, 255, 255, 255, 255], [0x00, 0x00],
        ] as [[UInt8]]
    )
    func theseAreNot(bytes: [UInt8]) { #expect(Self.fault(bytes) != nil) }

    @Test func nestingIsBounded() {
        func nested(_ depth: Int) -> [UInt8] { [UInt8](repeating: 0x81, count: depth) + [0] }
        #expect(Self.fault(nested(CBOR.depthLimit)) == nil)
        #expect(Self.fault(nested(CBOR.depthLimit + 1)) == .tooDeep)
        #expect(Self.fault([UInt8](repeating: 0x9f, count: 1 << 20)) == .tooDeep)
        // Tags hold nothing open.
        #expect(Self.fault([UInt8](repeating: 0xc1, count: 1 << 16) + [0]) == nil)
    }

    /// Whatever comes is answered, and all memory is given back.
    @Test(arguments: 1...40)
    func damagedBodiesAreTheClientsFault(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let record = [0xbf] + Self.text("Data") + [0x43, 1, 2, 3] + Self.text("PartitionKey") + Self.text("k") + [0xff]
        let records =
            [0xbf] + Self.text("StreamName") + Self.text("clicks") + Self.text("Records") + [0x9f] + record
            + record + [0xff, 0xff]
        let server = TestServer()
        for _ in 0..<100 {
            let isBatch = Bool.random(using: &random)
            var body = isBatch ? records : Self.putRecord
            for _ in 0..<Int.random(in: 0...4, using: &random) where !body.isEmpty {
                let at = Int.random(in: 0..<body.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: body[at] = UInt8.random(in: 0...255, using: &random)
                case 1: body.remove(at: at)
                case 2: body.insert(UInt8.random(in: 0...255, using: &random), at: at)
                default: body.removeLast(min(Int.random(in: 1...10, using: &random), body.count))
                }
            }
            let connection = try server.connect()
            try connection.send(Self.request(isBatch ? "PutRecords" : "PutRecord", body))
            let output = try connection.drainOutput()
            #expect(output.hasPrefix("HTTP/1.1 200") || output.hasPrefix("HTTP/1.1 400"), "seed \(seed): \(body)")
            #expect(server.loop.budget.held == 0, "seed \(seed)")
            try connection.channel.close().wait()
        }
    }

    /// What is well-formed can be walked over to its end, and random bytes never trap.
    @Test(arguments: 1...20)
    func randomBytesAreWalkedOnlyWhereTheyAreWellFormed(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let likely: [UInt8] = [
            0x00, 0x41, 0x61, 0x5f, 0x7f, 0x80, 0x81, 0x82, 0x9f, 0xa0, 0xa1, 0xbf, 0xc1, 0xf6, 0xff,
        ]
        var wellFormed = 0
        for _ in 0..<5000 {
            let bytes = (0..<Int.random(in: 1...16, using: &random)).map { _ in
                Bool.random(using: &random)
                    ? likely.randomElement(using: &random)! : .random(in: 0...255, using: &random)
            }
            bytes.withUnsafeBytes { bytes in
                guard let view = try? CBORView(validating: bytes) else { return }
                wellFormed += 1
                #expect(view.end == bytes.count)
                Self.walk(view)
            }
        }
        #expect(wellFormed > 0)
    }

    private static func walk(_ view: CBORView) {
        _ = (view.string, view.integer, view.isNull, view.isString("a"))
        var blobs = DecodedBlobs(UnsafeMutableRawBufferPointer(start: nil, count: 0))
        _ = view.blob(&blobs)
        var (members, elements) = (view.members, view.elements)
        while let member = members.next() {
            walk(member.name)
            walk(member.value)
        }
        while let element = elements.next() { walk(element) }
    }
}

struct Base64TextTests {
    private static func decode(_ text: String) -> [UInt8]? {
        let text = Array(text.utf8)
        return text.withUnsafeBytes { text in
            var count: Int?
            let bytes = [UInt8](unsafeUninitializedCapacity: Base64Text.decodedBytes(text.count)) { space, used in
                guard let base = space.baseAddress else { return }
                count = Base64Text.decode(text, to: UnsafeMutableRawPointer(base))
                used = count ?? 0
            }
            return count == nil ? nil : bytes
        }
    }

    private static func encode(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let part = bytes[start..<min(start + 3, bytes.count)]
            let word = part.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - part.count))
            for place in 0..<4 { text.append(place > part.count ? "=" : alphabet[word >> (18 - 6 * place) & 63]) }
        }
        return text
    }

    @Test(arguments: 1...20)
    func allBytesOfAllLengthsComeBack(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for length in 0..<70 {
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            #expect(Self.decode(Self.encode(bytes)) == bytes)
        }
    }

    @Test(arguments: [
        "A", "AA", "AAA", "A===", "====", "AA=A", "=AAA", "AAAAA", "AA A", "AA-_", "AAAA AAA", "AAAA====AAAA",
    ])
    func whatIsNoneIsNotDecoded(text: String) { #expect(Self.decode(text) == nil) }

    @Test func aWrongCharacterIsFoundAtEveryPlace() {
        let text = Array(Self.encode(Array(0..<30)))
        for place in text.indices {
            var wrong = text
            wrong[place] = "*"
            #expect(Self.decode(String(wrong)) == nil)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0

import AgentCore
import NIOCore
import Testing

@testable import AgentIngest

struct RandomInputTests {
    static let samples: [String] = [
        post("{\"a\":[1,\"\\u00e9\"]}"),
        post("{\"user\":{\"id\":\"x\"}}\n[2]\n", "/v1/streams/orders/events", type: "application/jsonl"),
        put("{\"Data\":{\"x\":1},\"PartitionKey\":\"k\"}"), post("{\"event\":1}", "/kinesis/stream/clicks"),
        put("{\"Data\":1,\"PartitionKey\":\"k\"}", "/streams/clicks/record"),
        put("{\"records\":[{\"data\":\"x\",\"partition-key\":\"k\"}]}", "/streams/clicks/records"),
        FramingTests.chunked, "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n", FramingTests.expecting + "1",
        post("1", "/v1/streams/clicks/events?partition_key=a%20b&region=eu-west-1"),
    ]

    /// Whatever comes, the server neither fails nor blames itself, and gives back all memory.
    @Test(arguments: 1...40)
    func damagedRequestsAreTheClientsFault(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<50 {
            let server = TestServer()
            server.directory.setDelivering(false)
            let isLocal = Bool.random(using: &random)
            let connection = try server.connect(isLocal: isLocal)
            let lines = isLocal && Bool.random(using: &random)
            var input: [UInt8] = []
            for _ in 0..<4 {
                let text = lines ? LinesTests.line("{\"a\":1}") : Self.samples.randomElement(using: &random)!
                input += Self.damage(Array(text.utf8), &random)
            }
            while !input.isEmpty {
                let count = min(Int.random(in: 1...200, using: &random), input.count)
                if connection.isOpen { try connection.send(Array(input[..<count])) }
                input.removeFirst(count)
            }
            let output = try connection.drainOutput()
            // 501 and 505 tell of codings and versions that nobody speaks here.
            for status in ["500", "502", "503", "504", "507"] {
                #expect(!output.contains("HTTP/1.1 \(status)"), "seed \(seed): \(output)")
            }
            if connection.isOpen { connection.halfClose() }
            try? connection.channel.close().wait()
            server.turn()
            #expect(server.loop.budget.held == 0, "seed \(seed)")
        }
    }

    @Test(arguments: 1...10)
    func cutsDoNotChangeWhatIsUnderstood(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<30 {
            var input: [UInt8] = []
            for _ in 0..<5 { input += Array(Self.samples.randomElement(using: &random)!.utf8) }
            var outcomes: [[String]] = []
            for cutsAnywhere in [false, true] {
                let server = TestServer()
                server.directory.setDelivering(false)
                let connection = try server.connect()
                var rest = input[...]
                while !rest.isEmpty {
                    let count = cutsAnywhere ? min(Int.random(in: 1...40, using: &random), rest.count) : rest.count
                    try connection.send(Array(rest.prefix(count)))
                    rest = rest.dropFirst(count)
                }
                outcomes.append(
                    server.queue.storedTexts + (try connection.replies().filter { $0.status != 100 }.map(\.body))
                )
            }
            #expect(outcomes[0] == outcomes[1], "seed \(seed)")
        }
    }

    @Test(arguments: 1...20)
    func randomTextIsJSONOnlyWhenItReadsBack(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let alphabet = Array("{}[]\":,\\u0019eE+-.tfnrualse \n\t\u{e9}".utf8) + [0x80, 0xff, 0xc3]
        for _ in 0..<3000 {
            let text = (0..<Int.random(in: 0...24, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
            text.withUnsafeBytes { bytes in
                guard let view = try? JSONView(validating: bytes) else { return }
                #expect(String(validating: text, as: UTF8.self) != nil)
                // Everything in it can be walked over, and is JSON itself.
                for member in view.members { #expect((try? JSON.validate(member.value.bytes)) != nil) }
                for element in view.elements { #expect((try? JSON.validate(element.bytes)) != nil) }
            }
        }
    }

    private static func damage(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 0...3, using: &random) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.remove(at: at)
            case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
            case 3: bytes.insert(contentsOf: bytes[at..<min(at + 20, bytes.count)], at: at)
            default: bytes.removeLast(min(Int.random(in: 1...10, using: &random), bytes.count))
            }
        }
        return bytes
    }
}

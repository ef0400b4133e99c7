// SPDX-License-Identifier: Apache-2.0

import AgentControl
import AgentCore
import Testing

/// Whatever arrives, the server lives, and each line gets one answer.
@Suite struct ControlFuzzTests {
    private static let valid = [
        #"{"v":1,"verb":"status","with":{}}"#,
        #"{"v":1,"verb":"peek","with":{"after":0,"limit":5,"max_bytes":1000,"stream":"clicks@eu-west-1"}}"#,
        #"{"v":1,"verb":"send","with":{"events_base64":["eA==","/w=="],"json":false,"partition_key":"k","stream":"a"}}"#,
        #"{"v":1,"verb":"flush","with":{"timeout_seconds":0.5}}"#,
        #"{"v":1,"verb":"pause","with":{"stream":"clicks"}}"#,
        #"{"v":1,"verb":"resume","with":{"stream":"clicks"}}"#,
        #"{"v":1,"verb":"dead_letters","with":{"after":0,"limit":5,"stream":"clicks"}}"#,
        #"{"v":1,"verb":"dead_letter","with":{"id":3}}"#,
        #"{"v":1,"verb":"requeue","with":{"dry_run":false,"which":{"ids":{"_0":[1,2,3]}}}}"#,
        #"{"v":1,"verb":"purge_dead_letters","with":{"dry_run":true,"ids":[1,2],"older_than_seconds":60}}"#,
        #"{"v":1,"verb":"requeue","with":{"dry_run":false,"which":{"stream":{"_0":"a"}},"after":1,"through":2}}"#,
    ]

    private static let pieces = [
        "9223372036854775807", "-9223372036854775808", "18446744073709551616", "1e300", "-1e999", "0.0000001", "-0",
        "null", "true", "{}", "[]", "\"\"", #""\ud800""#, #""\u0000\u001b[2J""#, "\"\u{202e}\u{9b}\"",
        String(repeating: "[", count: 600), String(repeating: #"{"with":"#, count: 600),
        String(repeating: "9", count: 5000), String(repeating: "x", count: 5000),
    ]

    private func line(_ generator: inout SeededGenerator) -> [UInt8] {
        func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }
        var bytes = Array(Self.valid[below(Self.valid.count)].utf8)
        switch below(8) {
        case 0:
            bytes = (0..<below(200)).map { _ in UInt8.random(in: 0...255, using: &generator) }
        case 1:
            bytes.removeLast(below(bytes.count))
        case 2:
            for _ in 0...below(4) where !bytes.isEmpty {
                bytes[below(bytes.count)] = UInt8.random(in: 0...255, using: &generator)
            }
        case 3, 4, 5:
            // A value in another's place.
            let piece = Array(Self.pieces[below(Self.pieces.count)].utf8)
            let places = bytes.indices.filter { bytes[$0] == UInt8(ascii: ":") || bytes[$0] == UInt8(ascii: "[") }
            let start = places[below(places.count)] + 1
            let end = bytes[start...].firstIndex { [0x2c, 0x7d, 0x5d].contains($0) } ?? bytes.endIndex
            bytes.replaceSubrange(start..<end, with: piece)
        case 6:
            let other = Array(Self.valid[below(Self.valid.count)].utf8)
            bytes = Array(bytes.prefix(below(bytes.count)) + other.suffix(below(other.count)))
        default: break
        }
        bytes.removeAll { $0 == UInt8(ascii: "\n") }
        return bytes
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func eachLineGetsAnAnswer(seed: UInt64) throws {
        let scratch = try Scratch()
        let handler = ScriptedHandler()
        let server = try scratch.server(handler)
        defer { server.stop() }
        var generator = SeededGenerator(seed: seed)
        let connection = try RawConnection(scratch.socket)
        for round in 0..<200 {
            // Up to eight at once, in one write.
            let lines = (0...Int.random(in: 0..<8, using: &generator)).map { _ in line(&generator) }
            connection.write(Array(lines.joined(separator: [UInt8(ascii: "\n")])) + [UInt8(ascii: "\n")])
            for line in lines {
                let answer = Array(connection.line().utf8)
                let text = String(decoding: line, as: UTF8.self)
                let isAnswer = try answer.withUnsafeBytes { bytes in
                    try JSONView(validating: bytes).members.contains {
                        $0.name.isString("ok") || $0.name.isString("error")
                    }
                }
                #expect(isAnswer, "seed \(seed), round \(round): \(SafeText.line(text))")
            }
        }
        #expect(!handler.requests.isEmpty)
        #expect(try ControlClient(path: scratch.socket).status() == StatusReport())
    }

    @Test(arguments: [
        String(repeating: "[", count: 513), String(repeating: "[", count: 1 << 20),
        String(repeating: "{\"v\":", count: 9999),
    ])
    func aDeepLineIsRefusedAndTheConnectionGoesOn(line: String) throws {
        let scratch = try Scratch()
        let server = try scratch.server(ScriptedHandler())
        defer { server.stop() }
        let connection = try RawConnection(scratch.socket)
        connection.write(line + "\n" + Self.valid[0] + "\n")
        #expect(connection.line().contains("nested deeper than 512"))
        #expect(connection.line().contains("uptime_seconds"))
    }

    /// Answered at once, they would take each its part of the stack.
    @Test func manyBadLinesAtOnceAreAnsweredOneByOne() throws {
        let scratch = try Scratch()
        let server = try scratch.server(ScriptedHandler())
        defer { server.stop() }
        let connection = try RawConnection(scratch.socket)
        connection.writeInBackground([UInt8](repeating: UInt8(ascii: "\n"), count: 200_000))
        // Others have their turn meanwhile.
        #expect(try ControlClient(path: scratch.socket).status() == StatusReport())
        #expect(connection.countLines() == 200_000)
        #expect(try ControlClient(path: scratch.socket).status() == StatusReport())
    }
}

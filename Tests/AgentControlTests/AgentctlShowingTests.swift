// SPDX-License-Identifier: Apache-2.0

import AgentControl
import AgentCore
import Glibc
import Testing

/// What agentctl makes of what others wrote.
@Suite(.enabled(if: Agentctl.isBuilt)) struct AgentctlShowingTests {
    /// Each order to a terminal, line end and mark that turns text around, in one text.
    private static let dangerous: String = {
        var values = Array(1..<0x20) + Array(0x7f..<0xa0)
        values += [0xad, 0x61c, 0x200b, 0x200e, 0x200f, 0x2028, 0x2029]
        values += Array(0x202a...0x202e) + Array(0x2066...0x2069) + [0xfeff, 0xe0041]
        return String(String.UnicodeScalarView(values.compactMap { Unicode.Scalar(UInt32($0)) }))
    }()

    /// A handler all of whose answers hold it wherever there is text.
    private static func hostile(refusing: Bool = false) -> ScriptedHandler {
        let text = "a\(dangerous)z"
        var script = ScriptedHandler.Script()
        var report = StatusReport.sample
        let problem = StatusReport.Problem(code: text, message: text, remedy: text, at: text)
        report.agent.version = text
        report.agent.problems = [problem]
        report.streams[0].name = text
        report.streams[0].region = text
        report.streams[0].limitedBy = text
        report.streams[1].lastError = problem
        script.status = .success(report)
        let event = EventReport(
            id: 1,
            key: EventKey(partitionKey: text, explicitHashKey: text),
            ageSeconds: 1,
            data: Payload(text)
        )
        script.events = [event]
        script.letters = [
            DeadLetterReport(event: event, stream: text, region: text, code: text, reason: text, deadSeconds: 1)
        ]
        script.regionOfPaused = text
        script.noRoomFor = 1
        script.noRoom = text
        if refusing { script.refusal = ControlError(.failed, text) }
        return ScriptedHandler(script)
    }

    private static let verbs: [[String]] = [
        ["status"], ["status", "--json"], ["streams"], ["streams", "--json"], ["peek", "a"], ["peek", "a", "--json"],
        ["pause", "a"], ["resume", "a"], ["dead-letters", "list"], ["dead-letters", "list", "--json"],
        ["dead-letters", "show", "1"], ["dead-letters", "show", "1", "--json"], ["send", "a", "x", "--json"],
        ["dead-letters", "requeue", "--all", "a", "--yes"],
        ["dead-letters", "requeue", "--all", "a", "--yes", "--json"],
        ["flush"], ["flush", "--json"],
    ]

    private func raw(_ text: String) -> [String] {
        text.unicodeScalars.filter { $0 != "\n" && Self.dangerous.unicodeScalars.contains($0) }
            .map { "U+\(String($0.value, radix: 16))" }
    }

    @Test(arguments: verbs, [false, true]) func nothingThatATerminalActsOnIsPrintedRaw(
        verb: [String],
        refusing: Bool
    ) throws {
        let scratch = try Scratch()
        let server = try scratch.server(Self.hostile(refusing: refusing))
        defer { server.stop() }
        for columns in [nil, 60] {
            let outcome = try Agentctl.run(verb, columns: columns, in: scratch)
            #expect(raw(outcome.out) == [] && raw(outcome.words) == [])
            #expect(outcome.out.utf8.count + outcome.words.utf8.count > 0)
            if refusing { #expect(outcome.words.contains("agentctl: a\\u{1}\\u{2}")) }
            if !refusing, verb.contains("--json"), verb[0] != "send" {
                // All of it is there: JSON means what it meant.
                try Array(outcome.out.utf8).withUnsafeBytes { _ = try JSONView(validating: $0) }
            }
        }
    }

    @Test func whatIsEscapedInJSONIsStillTheSameText() throws {
        let scratch = try Scratch()
        let server = try scratch.server(Self.hostile())
        defer { server.stop() }
        let shown = try Agentctl.run("dead-letters", "show", "1", "--json", in: scratch)
        try Array(shown.out.utf8).withUnsafeBytes { bytes in
            let letter = try JSONView(validating: bytes)
            let members = Array(letter.members)
            for name in ["partition_key", "explicit_hash_key", "stream", "region", "code", "reason", "data"] {
                let value = members.first { $0.name.isString(name) }?.value
                #expect(value?.scalarText == "a\(Self.dangerous)z", "\(name)")
            }
        }
    }

    /// Also of what comes from the command line, which a script may have from elsewhere.
    @Test(arguments: [
        ["peek", "a\u{1b}[2J\u{9b}"], ["a\u{1b}[2J\u{9b}"], ["help", "a\u{1b}[2J\u{9b}"],
        ["status", "--control", "/a\u{1b}[2J\u{9b}"], ["status", "--a\u{1b}[2J\u{9b}"],
        ["flush", "--timeout", "\u{9b}"],
    ])
    func aFaultOfTheCommandLineIsToldSafely(arguments: [String]) throws {
        let scratch = try Scratch()
        let outcome = try Agentctl.run(arguments, in: scratch)
        #expect(outcome.code == 64 || outcome.code == 69)
        #expect(raw(outcome.words) == [] && outcome.words.contains("\\u{9b}"))
    }

    // MARK: Tables

    @Test func troubleComesFirst() throws {
        let scratch = try Scratch()
        var report = StatusReport()
        for number in 0..<47 {
            var stream = StatusReport.Stream()
            stream.name = "s\(number)"
            stream.region = "us-east-1"
            stream.state = [11: .paused, 20: .backingOff, 30: .parked, 46: .parked][number] ?? .ok
            report.streams.append(stream)
        }
        var script = ScriptedHandler.Script()
        script.status = .success(report)
        let server = try scratch.server(ScriptedHandler(script))
        defer { server.stop() }
        let lines = try Agentctl.run("status", in: scratch).out.split(separator: "\n")
        let names = lines.compactMap { $0.contains("@us-east-1") ? $0.prefix { $0 != "@" } : nil }
        #expect(names.count == 47)
        #expect(names.prefix(6) == ["s30", "s46", "s20", "s11", "s0", "s1"])
    }

    @Test func oneLongNameDoesNotWrapTheTable() throws {
        let scratch = try Scratch()
        var report = StatusReport.sample
        report.streams[0].name = "begin" + String(repeating: "x", count: 118) + "end"
        let handler = ScriptedHandler()
        handler.change { $0.status = .success(report) }
        let server = try scratch.server(handler)
        defer { server.stop() }
        for columns in [40, 60, 80, 132] {
            let lines = try Agentctl.run("status", columns: columns, in: scratch).out.split(separator: "\n")
            let row = try #require(lines.first { $0.hasPrefix("begin") })
            #expect(row.count <= columns, "\(row)")
            #expect(row.contains("…") && row.contains(columns < 60 ? "-east-1" : "@us-east-1"), "\(row)")
            let heading = try #require(lines.first { $0.hasPrefix("STREAM") })
            #expect(heading.contains("STATE") && heading.contains("QUEUED"))
        }
        // Where there is no terminal, nothing is lost.
        #expect(try Agentctl.run("status", in: scratch).out.contains(report.streams[0].name))
    }

    // MARK: Slips

    @Test(arguments: [
        (["help", "flsh"], "Error: 'agentctl' has no verb 'flsh'. Did you mean 'flush'?"),
        (["stauts"], "Error: 'agentctl' has no verb 'stauts'. Did you mean 'status'?"),
        (["help", "frobnicate"], "Error: 'agentctl' has no verb 'frobnicate'."),
        (["dead-letters", "lst"], "Error: 'agentctl dead-letters' has no verb 'lst'. Did you mean 'list'?"),
    ])
    func aVerbThatIsNoneIsNamedWithTheNearest(arguments: [String], sentence: String) throws {
        let outcome = try Agentctl.run(arguments, in: try Scratch())
        #expect(outcome.code == 64 && outcome.out == "")
        #expect(outcome.words.split(separator: "\n").first.map(String.init) == sentence)
    }

    @Test(arguments: [["help"], ["help", "flush"], ["dead-letters", "--help"], ["help", "dead-letters", "list"]])
    func helpOfAVerbIsHelp(arguments: [String]) throws {
        let outcome = try Agentctl.run(arguments, in: try Scratch())
        #expect(outcome.code == 0 && outcome.out.contains("USAGE: agentctl") && outcome.words == "")
    }

    @Test(arguments: [
        #"{"line":1,"error":"invalid_line","message":"No."}"# + "\n", "HTTP/1.1 400 Bad Request\r\n\r\n",
    ])
    func theIngestSocketIsToldFromTheControlSocket(answer: String) throws {
        let scratch = try Scratch()
        let other = try AnsweringSocket(scratch.socket, answer)
        defer { other.stop() }
        let outcome = try Agentctl.run("status", in: scratch)
        #expect(outcome.code == 69)
        #expect(outcome.words.hasPrefix("agentctl: \(scratch.socket) is agentd's ingest socket, which takes events."))
        #expect(outcome.words.contains("control_socket"))
    }

    @Test(arguments: ["", "{}\n", "{\"ok\":{}}\n", "[[[[\n", "{\"v\":1,\"ok\":{\"agent\":1}}\n"])
    func whateverAnswersIsASentence(answer: String) throws {
        let scratch = try Scratch()
        let other = try AnsweringSocket(scratch.socket, answer)
        defer { other.stop() }
        let outcome = try Agentctl.run("status", in: scratch)
        #expect(outcome.code == (answer.isEmpty ? 69 : 1))
        #expect(outcome.words.hasPrefix("agentctl: agentd"))
        #expect(!outcome.words.contains("DecodingError") && !outcome.words.contains("Context("), "\(outcome.words)")
    }

    // MARK: Requeue

    @Test func aRequeueThatStopsSaysHowFarItCameAndWhy() throws {
        let scratch = try Scratch()
        let handler = ScriptedHandler()
        handler.change {
            $0.letters = (1...5).map { .sample($0) }
            $0.noRoomFor = 4
        }
        let server = try scratch.server(handler)
        defer { server.stop() }
        let outcome = try Agentctl.run("dead-letters", "requeue", "--all", "a", "--yes", "--json", in: scratch)
        #expect(outcome.code == 1)
        #expect(
            outcome.words == """
                requeued 3 dead letters
                agentctl: the others are still dead letters. There is no room.

                """
        )
        #expect(outcome.out.contains(#""events" : 3"#) && outcome.out.contains(#""There is no room.""#))
    }

    @Test func manyIdsAreRequeuedInSeveralRequests() throws {
        let scratch = try Scratch()
        let handler = ScriptedHandler()
        handler.change { $0.letters = (1...2500).map { .sample($0) } }
        let server = try scratch.server(handler)
        defer { server.stop() }
        let client = try ControlClient(path: scratch.socket)
        let report = try client.requeue(.ids(Array(1...2600) + [7, 7]), dryRun: false)
        #expect(report.events == 2500 && report.missing == 100 && report.stoppedBecause == nil)
        #expect(handler.requests.count == 3)
    }
}

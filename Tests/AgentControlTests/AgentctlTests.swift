// SPDX-License-Identifier: Apache-2.0

import AgentControl
import AgentCore
import Glibc
import Testing

/// agentctl as a process of its own, against a real socket with a scripted agentd behind it.
@Suite(.enabled(if: Agentctl.isBuilt)) struct AgentctlTests {
    private func scripted(_ change: (inout ScriptedHandler.Script) -> Void = { _ in }) -> ScriptedHandler {
        var script = ScriptedHandler.Script()
        script.status = .success(.sample)
        change(&script)
        return ScriptedHandler(script)
    }

    // MARK: status

    @Test func statusIsATable() throws {
        let scratch = try Scratch()
        let server = try scratch.server(scripted())
        defer { server.stop() }
        let outcome = try Agentctl.run("status", in: scratch)
        #expect(outcome.code == 0 && outcome.words == "")
        #expect(
            outcome.out == """
                agentd 1.2.3  running  pid 4711  up 3d 4h
                queue   [#####...............] 1.0 GiB of 4.0 GiB  12,345 events  oldest 2h 5m  3 dead letters
                totals  accepted 1,234,567  delivered 1,222,219  dead-lettered 3  refused 7
                streams 1 parked  1 ok

                STREAM            STATE   QUEUED        SIZE  IN FLIGHT  OLDEST  DELIVERED  DEAD  REFUSED  RETRIES  THROTTLED  LIMITED BY
                orders@eu-west-1  parked  12,000  1023.9 MiB          0   2h 5m        219     3        7        0         40  -
                  ! ResourceNotFoundException: Stream orders under account 111122223333 not found. (2026-11-22T06:41:57Z)
                  > Create the stream, or take it out of agent.conf.
                clicks@us-east-1  ok         345    68.3 KiB         50   750ms  1,222,000     0        0       12          0  key_order

                """
        )
    }

    @Test func aNarrowTerminalGetsFewerColumnsAndShorterLines() throws {
        let scratch = try Scratch()
        let server = try scratch.server(scripted())
        defer { server.stop() }
        let outcome = try Agentctl.run("status", columns: 64, in: scratch)
        #expect(
            outcome.out == """
                agentd 1.2.3  running  pid 4711  up 3d 4h
                queue   [#####...............] 1.0 GiB of 4.0 GiB  12,345 events
                        oldest 2h 5m  3 dead letters
                totals  accepted 1,234,567  delivered 1,222,219  dead-lettered 3
                        refused 7
                streams 1 parked  1 ok

                STREAM            STATE   QUEUED  OLDEST  DELIVERED  LIMITED BY
                orders@eu-west-1  parked  12,000   2h 5m        219  -
                  ! ResourceNotFoundException: Stream orders under account
                    111122223333 not found. (2026-11-22T06:41:57Z)
                  > Create the stream, or take it out of agent.conf.
                clicks@us-east-1  ok         345   750ms  1,222,000  key_order

                """
        )
    }

    @Test func whatIsWrongWithTheAgentItselfComesFirst() throws {
        let scratch = try Scratch()
        var report = StatusReport()
        report.agent.version = "1.2.3"
        report.agent.state = .degraded
        report.agent.problems = [
            .init(
                code: "disk_full",
                message: "The disk has 0 bytes left.\u{1b}[2J",
                remedy: "Free some space.",
                at: "2026-11-22T06:41:57Z"
            )
        ]
        report.queue.maxBytes = 4 << 30
        report.queue.bytes = 1
        let server = try scratch.server(scripted { [report] in $0.status = .success(report) })
        defer { server.stop() }
        #expect(
            try Agentctl.run("status", in: scratch).out == """
                agentd 1.2.3  degraded  pid 0  up 0s
                  ! disk_full: The disk has 0 bytes left.\\u{1b}[2J (2026-11-22T06:41:57Z)
                  > Free some space.
                queue   [#...................] 1 B of 4.0 GiB  0 events
                totals  accepted 0  delivered 0

                """
        )
    }

    @Test func watchingAsJSONIsALineEachTime() throws {
        let scratch = try Scratch()
        let server = try scratch.server(scripted())
        defer { server.stop() }
        let outcome = try Agentctl.run("status", "--watch", "--json", in: scratch, signal: SIGINT)
        #expect(
            outcome.out.split(separator: "\n").first.map(String.init)
                == (try controlJSON(StatusReport.sample, pretty: false))
        )
    }

    @Test func statusAsJSONIsTheReport() throws {
        let scratch = try Scratch()
        let server = try scratch.server(scripted())
        defer { server.stop() }
        let outcome = try Agentctl.run("status", "--json", in: scratch)
        #expect(outcome.out == (try controlJSON(StatusReport.sample, pretty: true)) + "\n")
    }

    @Test(arguments: [SIGINT, SIGTERM]) func watchingEndsWithASignalAndSuccess(signal: Int32) throws {
        let scratch = try Scratch()
        let server = try scratch.server(scripted())
        defer { server.stop() }
        let outcome = try Agentctl.run("status", "--watch", in: scratch, signal: signal)
        #expect(outcome.code == 0)
        #expect(outcome.out.hasPrefix("agentd 1.2.3  running"))
        #expect(!outcome.out.contains("\u{1b}"))
    }

    @Test func streamsAreListedByName() throws {
        let scratch = try Scratch()
        let server = try scratch.server(scripted())
        defer { server.stop() }
        #expect(try Agentctl.run("streams", in: scratch).out == "clicks@us-east-1\norders@eu-west-1\n")
    }

    // MARK: Exit codes

    @Test func anAgentThatIsNotThereIs69() throws {
        let scratch = try Scratch()
        let missing = try Agentctl.run("status", in: scratch)
        #expect(missing.code == 69 && missing.out == "")
        #expect(
            missing.words
                == "agentctl: agentd is not running, or uses another control socket: there is no \(scratch.socket).\n"
        )
        try RawConnection.leaveStale(scratch.socket)
        #expect(try Agentctl.run("flush", in: scratch).code == 69)
    }

    @Test(arguments: [
        ["frobnicate"], ["help", "frobnicate"], ["dead-letters", "lst"], ["peek"], ["peek", "bad name"],
        ["peek", "a", "--limit", "0"], ["flush", "--timeout", "soon"],
        ["dead-letters", "show", "0"], ["dead-letters", "show", "--", "-9223372036854775808"],
        ["flush", "--timeout", "nan"],
        ["flush", "--timeout", "1e300"], ["dead-letters", "list", "--after", "9223372036854775807"],
        ["dead-letters", "requeue", "0"],
        ["peek", "a@evil.example.com/x"], ["dead-letters", "requeue"], ["dead-letters", "requeue", "1", "--all", "a"],
    ])
    func badUsageIs64(arguments: [String]) throws {
        let scratch = try Scratch()
        let outcome = try Agentctl.run(arguments, in: scratch)
        #expect(outcome.code == 64 && outcome.out == "" && outcome.words.contains("Usage"))
    }

    @Test func aRefusalIs1AndSaysWhy() throws {
        let scratch = try Scratch()
        let server = try scratch.server(scripted { $0.refusal = ControlError(.noSuchStream, "There is no stream a.") })
        defer { server.stop() }
        #expect(
            try Agentctl.run("pause", "a", in: scratch)
                == .init(code: 1, out: "", words: "agentctl: There is no stream a.\n")
        )
    }

    @Test func theControlOptionWinsOverTheEnvironment() throws {
        let (scratch, other) = (try Scratch(), try Scratch())
        let server = try other.server(scripted())
        defer { server.stop() }
        #expect(try Agentctl.run("streams", "--control", other.socket, in: scratch).code == 0)
    }

    // MARK: Events

    @Test func peekShowsEventsOverSeveralPagesWithoutDisturbingTheTerminal() throws {
        let scratch = try Scratch()
        let server = try scratch.server(
            scripted {
                $0.events = [
                    .sample(1, key: "k\u{1b}[31m", Payload("{\n\"a\": \"ü\"}")), .sample(2, Payload([0xff, 0xfe])),
                    .sample(5, Payload("x")), .sample(6, Payload("y")),
                ]
            }
        )
        defer { server.stop() }
        #expect(
            try Agentctl.run("peek", "clicks", "--limit", "3", in: scratch).out == """
                1  1m 5s  k\\u{1b}[31m  {\\n"a": "ü"}
                2  1m 5s  -  (2 bytes, not UTF-8; see --json)
                5  1m 5s  -  x

                """
        )
        #expect(
            try Agentctl.run("peek", "clicks", "--limit", "2", "--json", in: scratch).out == """
                [
                {"age_seconds":65,"bytes":12,"data":"{\\n\\"a\\": \\"ü\\"}","explicit_hash_key":null,"id":1,"partition_key":"k\\u001b[31m"},
                {"age_seconds":65,"bytes":2,"data_base64":"//4=","explicit_hash_key":null,"id":2,"partition_key":null}
                ]

                """
        )
    }

    @Test func anEmptyListIsStillJSON() throws {
        let scratch = try Scratch()
        let server = try scratch.server(scripted())
        defer { server.stop() }
        #expect(try Agentctl.run("peek", "clicks", "--json", in: scratch).out == "[]\n")
        #expect(try Agentctl.run("dead-letters", "list", "--json", in: scratch).out == "[]\n")
    }

    @Test func sendTakesArgumentsOrStdinOrLines() throws {
        let scratch = try Scratch()
        let handler = scripted()
        let server = try scratch.server(handler)
        defer { server.stop() }
        let arguments = try Agentctl.run("send", "clicks", "one", "two", "--partition-key", "k", "--json", in: scratch)
        #expect(arguments.out == #"{"accepted":2,"first_id":1,"last_id":2}"# + "\n")
        #expect(try Agentctl.run("send", "clicks", stdin: "a\nb\n", in: scratch).words == "queued 1 event\n")
        let lines = try Agentctl.run("send", "clicks", "--ndjson", stdin: "{\"a\":1}\r\n\n 2\n", in: scratch)
        #expect(lines == .init(code: 0, out: "", words: "queued 2 events\n"))
        let sent = handler.requests.compactMap { $0 as? SendRequest }
        #expect(
            sent.map(\.events) == [
                [Payload("one"), Payload("two")], [Payload("a\nb\n")], [Payload("{\"a\":1}"), Payload(" 2")],
            ]
        )
        #expect(sent.map { $0.keys.map(\.partitionKey) } == [["k"], [""], [""]])
        #expect(sent.map(\.isJSON) == [false, false, true])
    }

    @Test func nothingIsSentOfLinesThatAreNotAllJSON() throws {
        let scratch = try Scratch()
        let handler = scripted()
        let server = try scratch.server(handler)
        defer { server.stop() }
        let outcome = try Agentctl.run("send", "clicks", "--ndjson", stdin: "1\n{\"ü\" 2}\n", in: scratch)
        #expect(outcome.code == 1 && outcome.words.hasPrefix("agentctl: line 2, column 6: "))
        #expect(handler.requests.isEmpty)
    }

    @Test func manyEventsAreSentInGroups() throws {
        let scratch = try Scratch()
        let handler = scripted()
        let server = try scratch.server(handler)
        defer { server.stop() }
        let lines = (0..<1200).map(String.init).joined(separator: "\n")
        let outcome = try Agentctl.run("send", "clicks", "--ndjson", "--json", stdin: lines, in: scratch)
        #expect(
            outcome.out.split(separator: "\n") == [
                #"{"accepted":500,"first_id":1,"last_id":500}"#, #"{"accepted":500,"first_id":501,"last_id":1000}"#,
                #"{"accepted":200,"first_id":1001,"last_id":1200}"#,
            ]
        )
    }

    @Test func flushFailsWhereTheQueueIsNotEmptyInTime() throws {
        let scratch = try Scratch()
        let handler = scripted { $0.flushesTo = FlushReport(empty: false, queuedEvents: 1) }
        let server = try scratch.server(handler)
        defer { server.stop() }
        let outcome = try Agentctl.run("flush", "--timeout", "1500ms", in: scratch)
        #expect(outcome.code == 1 && outcome.words.contains("still 1 event queued"))
        let request = try #require(handler.requests.first as? FlushRequest)
        #expect(request.timeoutSeconds == 1.5)
    }

    // MARK: Dead letters

    @Test func deadLettersAreListedAndShown() throws {
        let scratch = try Scratch()
        let server = try scratch.server(scripted { $0.letters = [.sample(3), .sample(4), .sample(9)] })
        defer { server.stop() }
        let list = try Agentctl.run("dead-letters", "list", "clicks", in: scratch).out
        #expect(
            list.split(separator: "\n").first
                == "3  clicks@us-east-1  5s  2 B  record_rejected: The record is too large."
        )
        #expect(list.split(separator: "\n").count == 3)
        #expect(
            try Agentctl.run("dead-letters", "show", "4", in: scratch).out == """
                id             4
                stream         clicks@us-east-1
                partition key  k
                accepted       1m 5s ago
                given up       5s ago
                reason         record_rejected: The record is too large.
                size           2 bytes
                data           {}

                """
        )
        #expect(
            try Agentctl.run("dead-letters", "show", "5", in: scratch)
                == .init(code: 1, out: "", words: "agentctl: There is no dead letter 5.\n")
        )
    }

    @Test func requeuingAWholeStreamWantsYes() throws {
        let scratch = try Scratch()
        let handler = scripted { $0.letters = [.sample(3), .sample(4)] }
        let server = try scratch.server(handler)
        defer { server.stop() }
        let counted = try Agentctl.run("dead-letters", "requeue", "--all", "clicks", in: scratch)
        #expect(counted.code == 1)
        #expect(counted.words == "would requeue 2 dead letters (2.0 KiB). Say --yes to do it.\n")
        let done = try Agentctl.run("dead-letters", "requeue", "--all", "clicks", "--yes", in: scratch)
        #expect(done == .init(code: 0, out: "", words: "requeued 2 dead letters\n"))
        #expect(try Agentctl.run("dead-letters", "requeue", "3", "4", in: scratch).code == 0)
        let tooMany = try Agentctl.run("dead-letters", "requeue", "3", "4", "5", in: scratch)
        #expect(tooMany.code == 1 && tooMany.words.contains("1 of these ids"))
        let dryRuns = handler.requests.map { ($0 as? RequeueRequest)?.dryRun ?? false }
        #expect(dryRuns == [true, false, false, false, false, false], "two letters and an end are three steps")
    }

    @Test func purgingDeadLettersWantsYes() throws {
        let scratch = try Scratch()
        let handler = scripted { $0.letters = [.sample(3), .sample(4), .sample(5)] }
        let server = try scratch.server(handler)
        defer { server.stop() }
        let counted = try Agentctl.run("dead-letters", "purge", "--stream", "clicks", "--older-than", "7d", in: scratch)
        #expect(counted.code == 1)
        #expect(counted.words == "would purge 3 dead letters (3.0 KiB). Say --yes to do it.\n")
        let asked = try #require(handler.requests.first as? PurgeDeadLettersRequest)
        #expect(asked.dryRun && asked.which == .stream(StreamReference(name: "clicks")))
        #expect(asked.olderThanSeconds == 7 * 86_400)
        let some = try Agentctl.run("dead-letters", "purge", "3", "9", "--yes", in: scratch)
        #expect(some.code == 1)
        #expect(some.words.hasPrefix("purged 1 dead letter (1.0 KiB)\nagentctl: 1 of these ids are not"))
        let all = try Agentctl.run("dead-letters", "purge", "--all", "--yes", in: scratch)
        #expect(all == .init(code: 0, out: "", words: "purged 2 dead letters (2.0 KiB)\n"))
    }

    @Test(arguments: [
        [], ["--all", "3"], ["--stream", "clicks", "--all"], ["0"], ["--all", "--older-than", "soon"],
        ["--all", "--older-than", "-1d"],
    ])
    func aPurgeSaysWhatItMeans(arguments: [String]) throws {
        let scratch = try Scratch()
        let handler = scripted()
        let server = try scratch.server(handler)
        defer { server.stop() }
        #expect(try Agentctl.run(["dead-letters", "purge"] + arguments, in: scratch).code == 64)
        #expect(handler.requests.isEmpty)
    }

    // MARK: check-config

    /// Beside a copy of agentctl stands a script in agentd's place, which says what it was asked and ends with 78.
    @Test func checkConfigIsTheAnswerOfTheAgentdBesideIt() throws {
        let scratch = try Scratch()
        let script = "#!/bin/sh\necho \"$@\"\necho 'agent.conf:1:1: wrong' >&2\nexit 78\n"
        try scratch.write("agentd", Array(script.utf8), mode: 0o700)
        let copy = try scratch.copy(Agentctl.program, as: "agentctl")
        #expect(
            try Agentctl.run("check-config", "/etc/agent.conf", in: scratch, program: copy)
                == .init(code: 78, out: "--check-config --config /etc/agent.conf\n", words: "agent.conf:1:1: wrong\n")
        )
    }

    // MARK: Help

    @Test func helpNamesEveryVerb() throws {
        let scratch = try Scratch()
        #expect(
            try Agentctl.run("--help", columns: 80, in: scratch).out == """
                OVERVIEW: Look into a running agentd, and tell it what to do.

                STREAM is a name, in the configured region, or name@region.
                Exit codes: 0 done, 1 failed, 64 usage, 69 agentd unreachable, 78 bad
                configuration.

                USAGE: agentctl <subcommand>

                OPTIONS:
                  --version               Show the version.
                  -h, --help              Show help information.

                SUBCOMMANDS:
                  status                  Show the queue, the totals, and how each stream fares.
                  streams                 List the streams that take events or still have some.
                  peek                    Show the oldest queued events of a stream, and leave
                                          them there.
                  send                    Queue events, each from an argument, or from stdin.
                  pause                   Stop delivering a stream's events; new ones are still
                                          queued.
                  resume                  Deliver a paused stream's events again.
                  flush                   Send what is queued now, and wait until the queue is
                                          empty.
                  dead-letters            Look at events that were given up, queue them again,
                                          or delete them.
                  export                  Write queued events to stdout, a line of JSON each,
                                          and leave them in the queue.
                  import                  Queue the events of an export, which stdin has,
                                          again, in its order.
                  verify                  Check the queue file of an agentd that does not run:
                                          every page, every event, and the totals.
                  check-config            Check a configuration file with the agentd beside
                                          this agentctl, or on $PATH.

                  See 'agentctl help <subcommand>' for detailed help.

                """
        )
        #expect(try Agentctl.run("--version", in: scratch).out == AgentVersion.current + "\n")
    }
}

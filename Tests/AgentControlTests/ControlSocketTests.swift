// SPDX-License-Identifier: Apache-2.0

import AgentControl
import AgentCore
import Glibc
import Testing

@Suite struct ControlSocketTests {
    @Test func everyVerbGoesThereAndBack() throws {
        let scratch = try Scratch()
        var script = ScriptedHandler.Script()
        script.status = .success(.sample)
        let events: [EventReport] = [
            .sample(1, key: "k", Payload(#"{"a":"ü\n"}"#)), .sample(2, Payload([0xff, 0, 0x80])),
        ]
        script.events = events
        script.letters = [.sample(7)]
        script.flushesTo = FlushReport(empty: false, queuedEvents: 9)
        let handler = ScriptedHandler(script)
        let server = try scratch.server(handler)
        defer { server.stop() }
        let client = try ControlClient(path: scratch.socket)
        let clicks = StreamReference(name: "clicks", region: "eu-west-1")

        #expect(try client.status() == .sample)
        #expect(try client.ask(PeekRequest(stream: clicks, limit: 5)) == events)
        let sent = SendRequest(
            stream: clicks,
            keys: [EventKey(partitionKey: "k")],
            events: [Payload("1"), Payload([0xff])],
            isJSON: true
        )
        #expect(try client.ask(sent) == SendReport(accepted: 2, firstID: 1))
        #expect(try client.ask(FlushRequest(timeoutSeconds: 0.5)) == FlushReport(empty: false, queuedEvents: 9))
        #expect(try client.ask(PauseRequest(clicks)).paused)
        #expect(try client.ask(ResumeRequest(StreamReference(name: "clicks"))).region == "us-east-1")
        #expect(try client.ask(DeadLetterQuery(stream: nil, after: 3, limit: 2)) == [.sample(7)])
        #expect(try client.ask(DeadLetterRequest(id: 7)) == .sample(7))
        #expect(try client.requeue(.ids([8, 7]), dryRun: true).missing == 1)

        let requests = handler.requests
        #expect(requests.count == 9)
        let peek = try #require(requests[1] as? PeekRequest)
        let send = try #require(requests[2] as? SendRequest)
        let flush = try #require(requests[3] as? FlushRequest)
        let pause = try #require(requests[4] as? PauseRequest)
        let query = try #require(requests[6] as? DeadLetterQuery)
        let requeue = try #require(requests[8] as? RequeueRequest)
        #expect(peek.stream == clicks && peek.limit == 5 && peek.after == 0)
        #expect(send.events == sent.events && send.keys.map(\.partitionKey) == ["k"] && send.isJSON)
        #expect(flush.timeoutSeconds == 0.5)
        #expect(query.stream == nil && query.after == 3 && query.limit == 2)
        #expect(pause.stream == clicks)
        #expect(requeue.dryRun)
        if case .ids(let ids) = requeue.which { #expect(ids == [7, 8]) } else { Issue.record("\(requeue)") }
    }

    @Test func aRefusalReachesTheClientWithItsWords() throws {
        let scratch = try Scratch()
        var script = ScriptedHandler.Script()
        script.refusal = ControlError(.noSuchStream, "There is no stream clikcs. Did you mean clicks?")
        let server = try scratch.server(ScriptedHandler(script))
        defer { server.stop() }
        let failure = #expect(throws: ControlFailure.self) {
            try ControlClient(path: scratch.socket).ask(PeekRequest(stream: StreamReference(name: "clikcs"), limit: 1))
        }
        #expect(failure == .refused(ControlError(.noSuchStream, "There is no stream clikcs. Did you mean clicks?")))
    }

    @Test(arguments: [
        "\n", "hello\n", "{}\n", #"{"v":1}"# + "\n", #"{"v":2,"verb":"status","with":{}}"# + "\n",
        #"{"v":1,"verb":"explode","with":{}}"# + "\n",
        #"{"v":1,"verb":"peek","with":{"stream":"a b","limit":1}}"# + "\n",
        #"{"v":1,"verb":"send","with":{"stream":"a","partition_key":"","events_base64":["%"],"json":false}}"# + "\n",
    ])
    func aMalformedRequestIsRefusedAndTheConnectionGoesOn(request: String) throws {
        let scratch = try Scratch()
        let server = try scratch.server(ScriptedHandler())
        defer { server.stop() }
        let connection = try RawConnection(scratch.socket)
        connection.write(request)
        #expect(connection.line().contains(#""code":"bad_request""#))
        connection.write(#"{"v":1,"verb":"status","with":{}}"# + "\n")
        #expect(connection.line().hasPrefix(#"{"ok":{"agent""#))
    }

    @Test func anOversizedRequestIsRefusedAndEndsTheConnection() throws {
        let scratch = try Scratch()
        let server = try scratch.server(ScriptedHandler())
        defer { server.stop() }
        let connection = try RawConnection(scratch.socket)
        connection.write([UInt8](repeating: UInt8(ascii: "x"), count: (16 << 20) + 1))
        #expect(connection.line().contains(#""code":"too_large""#))
        #expect(connection.isClosed())
    }

    @Test func pipelinedRequestsAreAnsweredInOrderAndOnce() throws {
        let scratch = try Scratch()
        var script = ScriptedHandler.Script()
        script.replies = 2
        script.letters = [.sample(3)]
        let server = try scratch.server(ScriptedHandler(script))
        defer { server.stop() }
        let connection = try RawConnection(scratch.socket)
        let ids = #"{"v":1,"verb":"dead_letter","with":{"id":3}}"# + "\n"
        connection.write(ids + #"{"v":1,"verb":"status","with":{}}"# + "\n" + ids)
        #expect(connection.line().contains("record_rejected"))
        #expect(connection.line().contains("uptime_seconds"))
        #expect(connection.line().contains("record_rejected"))
    }

    @Test func aClientThatHasClosedItsHalfStillGetsItsAnswers() throws {
        let scratch = try Scratch()
        let server = try scratch.server(ScriptedHandler())
        defer { server.stop() }
        let connection = try RawConnection(scratch.socket)
        let status = #"{"v":1,"verb":"status","with":{}}"# + "\n"
        connection.write(status + status + "half a li")
        connection.endWriting()
        #expect(connection.line().contains("uptime_seconds"))
        #expect(connection.line().contains("uptime_seconds"))
        #expect(connection.isClosed())
    }

    @Test func aRequestThatTakesLongKeepsNobodyElseWaiting() throws {
        let scratch = try Scratch()
        var script = ScriptedHandler.Script()
        script.holdsFlush = true
        let handler = ScriptedHandler(script)
        let server = try scratch.server(handler)
        defer { server.stop() }
        let flushing = try RawConnection(scratch.socket)
        flushing.write(#"{"v":1,"verb":"flush","with":{"timeout_seconds":600}}"# + "\n")
        let other = try ControlClient(path: scratch.socket)
        while handler.requests.isEmpty { _ = try other.status() }
        #expect(try other.status() == StatusReport())
        while !handler.requests.contains(where: { $0 is FlushRequest }) {
            _ = try other.status()
        }
        handler.release()
        #expect(flushing.line().contains(#""empty":true"#))
    }

    @Test func aLargeAnswerArrivesWhole() throws {
        let scratch = try Scratch()
        var script = ScriptedHandler.Script()
        let event = EventReport.sample(1, Payload([UInt8](repeating: 0xfe, count: 6 << 20)))
        script.events = [event]
        let server = try scratch.server(ScriptedHandler(script))
        defer { server.stop() }
        let client = try ControlClient(path: scratch.socket)
        #expect(try client.ask(PeekRequest(stream: StreamReference(name: "a"), limit: 1)) == [event])
        #expect(try client.status() == StatusReport())
    }

    @Test func theLongestIdleConnectionMakesRoomForANewOne() throws {
        let scratch = try Scratch()
        let server = try scratch.server(ScriptedHandler())
        defer { server.stop() }
        let first = try RawConnection(scratch.socket)
        var clients: [ControlClient] = []
        for _ in 0..<ControlServer.maxConnections {
            let client = try ControlClient(path: scratch.socket)
            _ = try client.status()
            clients.append(client)
        }
        #expect(first.isClosed())
        for client in clients { _ = try client.status() }
    }
}

@Suite struct SocketFileTests {
    @Test func isForOwnerAndGroupOnly() throws {
        let scratch = try Scratch()
        let server = try scratch.server(ScriptedHandler())
        defer { server.stop() }
        var status = stat()
        #expect(lstat(scratch.socket, &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o660)
    }

    @Test func goesWithTheServer() throws {
        let scratch = try Scratch()
        let server = try scratch.server(ScriptedHandler())
        server.stop()
        #expect(access(scratch.socket, F_OK) != 0)
        #expect(throws: ControlFailure.unreachable(.system(call: "connect", path: scratch.socket, errno: ENOENT))) {
            try ControlClient(path: scratch.socket)
        }
    }

    @Test func aStaleOneIsReplaced() throws {
        let scratch = try Scratch()
        try RawConnection.leaveStale(scratch.socket)
        #expect(throws: ControlFailure.unreachable(.system(call: "connect", path: scratch.socket, errno: ECONNREFUSED)))
        {
            try ControlClient(path: scratch.socket)
        }
        let server = try scratch.server(ScriptedHandler())
        defer { server.stop() }
        #expect(try ControlClient(path: scratch.socket).status() == StatusReport())
    }

    @Test func oneThatIsAnsweredIsLeftAlone() throws {
        let scratch = try Scratch()
        let server = try scratch.server(ScriptedHandler())
        defer { server.stop() }
        #expect(throws: UnixSocketError.inUse(path: scratch.socket)) {
            try ControlServer(path: scratch.socket, handlers: ScriptedHandler().handlers)
        }
        #expect(try ControlClient(path: scratch.socket).status() == StatusReport())
    }

    @Test func anotherKindOfFileIsLeftAlone() throws {
        let scratch = try Scratch()
        close(open(scratch.socket, O_CREAT | O_WRONLY, 0o600))
        #expect(throws: UnixSocketError.notASocket(path: scratch.socket)) {
            try ControlServer(path: scratch.socket, handlers: ScriptedHandler().handlers)
        }
        #expect(access(scratch.socket, F_OK) == 0)
    }

    @Test func oneThatReplacedOursIsNotRemoved() throws {
        let scratch = try Scratch()
        let old = try scratch.server(ScriptedHandler())
        #expect(rename(scratch.socket, scratch.socket + ".old") == 0)
        let new = try scratch.server(ScriptedHandler())
        defer { new.stop() }
        old.stop()
        #expect(try ControlClient(path: scratch.socket).status() == StatusReport())
    }

    @Test(arguments: ["", "/tmp/" + String(repeating: "x", count: 110)])
    func aPathThatNoSocketCanHaveIsRefused(path: String) {
        #expect(throws: UnixSocketError.badPath(path)) {
            try ControlServer(path: path, handlers: ScriptedHandler().handlers)
        }
    }
}

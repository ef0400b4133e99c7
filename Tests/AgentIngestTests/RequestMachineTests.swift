// SPDX-License-Identifier: Apache-2.0

import AgentCore
import NIOCore
import Testing

@testable import AgentIngest

/// The machine alone: bytes and the time go in, and what is to be done comes out.
struct RequestMachineTests {
    private static let start = NIODeadline.uptimeNanoseconds(1)
    private static let times = IngestLoop.Times(
        idle: .seconds(75),
        head: .seconds(10),
        body: .seconds(30),
        putWait: .seconds(5)
    )

    /// A machine, what it was given that it has not taken, and what it said, in words.
    private struct Run: ~Copyable {
        var machine: RequestMachine
        var rest: [UInt8] = []
        private var mode = ReplyMode()
        private let access: AccessRules
        private let rules: RequestRules

        init(isSurplus: Bool = false) {
            var settings = IngestSettings()
            settings.maxRequestBytes = 1 << 20
            access = AccessRules(settings)
            rules = RequestRules(settings, ScriptedDirectory())
            machine = RequestMachine(RequestMachineTests.times, isSurplus: isSurplus, now: RequestMachineTests.start)
        }

        mutating func send(_ text: String, at now: NIODeadline = RequestMachineTests.start) -> [String] {
            send(Array(text.utf8), at: now)
        }

        mutating func send(_ bytes: [UInt8], at now: NIODeadline = RequestMachineTests.start) -> [String] {
            rest += bytes
            var said: [String] = []
            while true {
                var consumed = 0
                let action = rest.withUnsafeBytes { bytes in
                    machine.take(bytes, now: now, consumed: &consumed) {
                        Opening($0, access: access, rules: rules, isLocal: false, cameTo: { nil })
                    }
                }
                rest.removeFirst(consumed)
                switch action {
                case .wait: return said
                case .goOn: continue
                case .begin(let mode, let asksForBody):
                    self.mode = mode
                    said.append(asksForBody ? "begin, asked for" : "begin")
                case .submit:
                    said.append("body \(String(decoding: machine.body, as: UTF8.self))")
                    machine.bodyTaken(isLast: mode.closes)
                default: said.append(Self.words(action))
                }
            }
        }

        mutating func pass(to now: NIODeadline, isBehind: Bool = false, isIdle: Bool = true) -> String {
            let action = rest.withUnsafeBytes { machine.timePassed(now: now, isBehind: isBehind, isIdle: isIdle, $0) }
            return Self.words(action)
        }

        static func words(_ action: RequestMachine.Action) -> String {
            switch action {
            case .wait: "wait"
            case .goOn: "go on"
            case .begin: "begin"
            case .submit: "submit"
            case .end: "end"
            case .close: "close"
            case .speakHTTP2: "speak HTTP/2"
            case .answer(let mode, .refused(let refusal, _)):
                "answer \(refusal.status)\(mode.closes ? " and close" : "")"
            case .answer(let mode, _): mode.closes ? "answer and close" : "answer"
            case .refuse(let mode, let refusal): "refuse \(refusal.status)\(mode.omitsBody ? " without body" : "")"
            case .refuseBody(let refusal, let shape):
                "refuse body \(refusal.status)\(shape == nil ? "" : " in its shape")"
            }
        }
    }

    private static let expecting =
        "POST /v1/streams/clicks/events HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
    private static let health = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

    @Test func whereBytesAreCutMakesNoDifference() {
        let text =
            post("{\"a\":1}") + FramingTests.chunked + Self.health + put("{}") + "PUT / HTTP/1.1\r\nHost: localhost\r\n"
            + "Content-Length: 5\r\n\r\nabcde" + post("2")
        let bytes = Array(text.utf8)
        let whole =
            ["begin", "body {\"a\":1}", "begin", "body abc0123456789", "answer", "begin", "body {}", "answer 404"]
            + ["begin", "body 2"]
        for cut in 0...bytes.count {
            var run = Run()
            let said = run.send(Array(bytes[..<cut])) + run.send(Array(bytes[cut...]))
            #expect(said == whole, "cut at \(cut)")
            #expect(run.machine.phase == .head)
            #expect(run.machine.body.isEmpty)
        }
    }

    @Test func aBodyIsAskedForOnlyWhereItWaitsToBe() {
        var run = Run()
        #expect(run.send(Self.expecting) == ["begin, asked for"])
        #expect(run.send("1") == ["body 1"])
        #expect(run.send(Self.expecting + "1") == ["begin", "body 1"])
    }

    @Test func aRefusedBodyIsPassedOverWhereItIsShort() {
        for (bytes, isKept) in [(0, true), (256 << 10, true), (256 << 10 | 1, false)] {
            var run = Run()
            let head = "POST /nothing/at/all HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(bytes)\r\n\r\n"
            #expect(run.send(head) == [isKept ? "answer 404" : "answer 404 and close"])
            #expect(run.machine.phase == (isKept ? (bytes == 0 ? .head : .skipping(bytes)) : .over))
        }
        var run = Run()
        // It waits to be asked for its body, and is not.
        #expect(run.send(Self.expecting.replacing("clicks", with: "none")) == ["answer 404 and close"])
    }

    @Test func nothingIsReadBehindTheLast() {
        var run = Run()
        #expect(
            run.send(post("1", "/v1/streams/clicks/events", type: "text/plain", "Connection: close") + post("2"))
                == ["begin", "body 1"]
        )
        #expect(run.machine.phase == .over)
        var broken = Run()
        #expect(broken.send("HEAD nonsense\r\n\r\n" + Self.health) == ["refuse 400 without body"])
        #expect(broken.send(Self.health) == [])
        var surplus = Run(isSurplus: true)
        #expect(surplus.send(post("1")) == ["answer 503 and close"])
    }

    @Test func aChunkedBodyIsBounded() {
        var run = Run()
        let head = "PUT /clicks HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(run.send(head + "100001\r\n") == ["begin", "refuse body 413 in its shape"])
        #expect(run.machine.shape == nil)
        var broken = Run()
        #expect(broken.send(head + "x") == ["begin", "refuse body 400 in its shape"])
    }

    @Test func aHeadIsGivenItsTimeFromItsFirstByte() {
        var run = Run()
        let limit = Self.start + Self.times.head + Self.times.sweep
        #expect(run.send("POST / HT") == [])
        #expect(run.send("TP", at: Self.start + .seconds(9)) == [])
        #expect(run.pass(to: limit - .nanoseconds(1), isIdle: false) == "wait")
        #expect(run.pass(to: limit, isIdle: false) == "refuse 408")
    }

    @Test func aBodyIsGivenItsTimeFromItsHead() {
        var run = Run()
        let limit = Self.start + Self.times.body + Self.times.sweep
        #expect(run.send(String(post("12").dropLast())) == ["begin"])
        #expect(run.machine.missingBytes == 1)
        #expect(run.pass(to: limit - .nanoseconds(1), isIdle: false) == "wait")
        // The client said more, and was not read.
        #expect(run.pass(to: limit, isBehind: true, isIdle: false) == "wait")
        #expect(run.pass(to: limit + Self.times.body - .nanoseconds(1), isIdle: false) == "wait")
        #expect(run.pass(to: limit + Self.times.body, isIdle: false) == "refuse body 408 in its shape")
    }

    @Test func aBodyThatIsPassedOverEndsTheConnectionWhereItDoesNotCome() {
        var run = Run()
        #expect(run.send("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n") == ["answer 404"])
        #expect(run.pass(to: Self.start + .seconds(60), isIdle: false) == "end")
    }

    @Test func whoAsksForNothingIsClosedAfterAWhile() {
        var run = Run()
        #expect(run.send(Self.health, at: Self.start + .seconds(10)) == ["answer"])
        run.machine.answered(now: Self.start + .seconds(20))
        #expect(run.pass(to: Self.start + .seconds(95)) == "wait")
        #expect(run.pass(to: Self.start + .seconds(96), isIdle: false) == "wait")
        #expect(run.pass(to: Self.start + .seconds(96)) == "close")
    }

    @Test func aBodyThatWaitsForRoomStays() {
        var run = Run()
        _ = run.send("POST /v1/streams/clicks/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n1")
        var consumed = 0
        let action = [UInt8(ascii: "2")].withUnsafeBytes {
            run.machine.take($0, now: Self.start, consumed: &consumed) { _ in .incomplete }
        }
        guard case .submit = action else { return #expect(Bool(false)) }
        run.machine.waitForRoom()
        #expect(run.send(Self.health) == [])
        #expect(run.pass(to: Self.start + .seconds(1000), isIdle: false) == "wait")
        #expect(run.machine.body == Array("12".utf8))
        run.machine.bodyTaken(isLast: false)
        #expect(run.send("") == ["answer"])
    }

    @Test func itGivesWayInWhateverItIsDoing() {
        func giveWay(_ run: inout Run, isAnswered: Bool) -> String {
            let rest = run.rest
            return Run.words(rest.withUnsafeBytes { run.machine.giveWay(isAnswered: isAnswered, $0) })
        }
        var body = Run()
        _ = body.send(Self.expecting)
        #expect(giveWay(&body, isAnswered: false) == "refuse body 408 in its shape")
        var head = Run()
        _ = head.send("HEAD /heal")
        #expect(giveWay(&head, isAnswered: true) == "refuse 408 without body")
        var behind = Run()
        _ = behind.send(post("1") + "POST")
        #expect(giveWay(&behind, isAnswered: false) == "close")
    }
}

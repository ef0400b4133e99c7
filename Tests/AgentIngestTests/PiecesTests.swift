// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Testing

@testable import AgentIngest

/// Small parts that decide something by themselves.
struct PiecesTests {
    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00"), (784_111_777, "Sun, 06 Nov 1994 08:49:37"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00"), (1_709_251_199, "Thu, 29 Feb 2024 23:59:59"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00"),
    ])
    func datesAreWrittenAsHTTPWantsThem(seconds: Int, text: String) {
        #expect(HTTPDate.field(seconds) == "Date: \(text) GMT\r\n")
    }

    @Test func tokensAreThoseOfTheStandard() {
        let others = "!#$%&'*+-.^_`|~".utf8
        for byte in UInt8.min...UInt8.max {
            let isAlphanumeric = Unicode.Scalar(byte).properties.isAlphabetic && byte < 128 || FieldBytes.isDigit(byte)
            #expect(FieldBytes.isToken(byte) == (isAlphanumeric || others.contains(byte)), "\(byte)")
        }
    }

    @Test func valuesHaveNoControlCharacters() {
        for length in 0..<20 {
            for at in 0..<length {
                for byte in UInt8.min...UInt8.max {
                    var bytes = [UInt8](repeating: 0xe9, count: length)
                    bytes[at] = byte
                    let isValue = bytes.withUnsafeBytes { FieldBytes.isValue($0) }
                    #expect(isValue == (byte >= 0x20 && byte != 0x7f || byte == 0x09))
                }
            }
        }
    }

    @Test(arguments: [
        ("localhost", true), ("LOCALHOST:80", true), ("127.0.0.1", true), ("127.255.0.9:1", true), ("[::1]", true),
        ("[::1]:8077", true), ("127.0.0.1.example", false), ("127.1", false), ("127..0.1", false), ("128.0.0.1", false),
        ("localhost.example", false), ("", false), ("[::2]", false), ("127.0.0.1234", false), ("127.0.0.", false),
    ])
    func loopbackIsKnownByName(host: String, isLoopback: Bool) {
        #expect(Array(host.utf8).withUnsafeBytes { HostName.isLoopback($0) } == isLoopback)
    }

    @Test func memoryIsGivenInTheOrderAskedFor() {
        final class Holder {}
        let (a, b, c) = (Holder(), Holder(), Holder())
        var budget = ByteBudget<Holder>(limit: 100)
        // The last would fit, but another came first.
        let given = [budget.reserve(80, for: a), budget.reserve(60, for: b), budget.reserve(10, for: c)]
        #expect(given == [true, false, false])
        let early = budget.nextGrant()
        #expect(early == nil)
        budget.release(80)
        let late = [budget.nextGrant()?.holder, budget.nextGrant()?.holder, budget.nextGrant()?.holder]
        #expect(late.map { $0.map(ObjectIdentifier.init) } == [ObjectIdentifier(b), ObjectIdentifier(c), nil])
        #expect(budget.held == 70)
    }

    @Test func oneThatGrowsMayOverdraw() {
        final class Holder {}
        let (a, b) = (Holder(), Holder())
        var budget = ByteBudget<Holder>(limit: 100)
        let given = [(100, a), (50, a), (50, b)].map { budget.reserve($0.0, for: $0.1, grows: true) }
        #expect(given == [true, true, false])
        let early = budget.nextGrant()
        #expect(early == nil)
        budget.endGrowth(of: a)
        let late = budget.nextGrant()
        #expect(late?.holder === b)
        #expect(budget.held == 200)
    }

    @Test func connectionsAreCounted() {
        let count = ConnectionCount(limit: 2)
        let admissions = (0..<20).map { _ in count.enter() }
        #expect(admissions == [.welcome, .welcome] + Array(repeating: .surplus, count: 16) + [.none, .none])
        for _ in 0..<18 { count.leave() }
        let again = count.enter()
        #expect(again == .welcome)
    }

    @Test func answersFindOnlyTheirOwnRequest() throws {
        let server = TestServer()
        let connection = Connection(loop: server.loop, isLocal: false, isSurplus: false)
        func entry(_ count: Int) -> PendingAppends.Entry {
            .init(
                owner: .lines(LinesConversation(connection)),
                destination: DestinationID(1),
                count: count,
                bytes: 0,
                awaitsDelivery: false
            )
        }
        var pending = PendingAppends()
        let first = pending.insert(entry(1))
        let second = pending.insert(entry(2))
        let removed = pending.remove(first)
        #expect(removed?.count == 1)
        let third = pending.insert(entry(3))
        // The place is used again; the old token no longer leads there.
        let counts = [first, third, second, .max].map { pending.remove($0)?.count }
        #expect(counts == [nil, 3, 2, nil])
        #expect(pending.count == 0)
    }
}

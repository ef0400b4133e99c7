// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import AgentIngest

struct DoorTests {
    @Test func eachDoorHasHalfWhenBothNeedIt() {
        let count = ConnectionCount(limit: 4)
        let first = (0..<4).map { _ in count.enter(.tcp) }
        #expect(first == Array(repeating: .welcome, count: 4))
        // One that has less than half takes it from the other.
        #expect(count.enter(.unix) == .crowded(.tcp))
        #expect(count.enter(.tcp) == .crowded(.tcp))
        for _ in 0..<2 { count.leave(.tcp, isSurplus: false) }
        let second = (0..<2).map { _ in count.enter(.unix) }
        #expect(second == [.welcome, .welcome])
        #expect(count.enter(.unix) == .crowded(.unix))
        #expect(count.enter(.tcp) == .crowded(.tcp))
        let surplus = (0..<17).map { _ in count.enterAsSurplus() }
        #expect(surplus == Array(repeating: true, count: 16) + [false])
        count.leave(.unix, isSurplus: true)
        #expect(count.enterAsSurplus())
    }

    @Test func theLongestIdleMakesRoomForANewClient() throws {
        let server = TestServer { $0.maxConnections = 3 }
        let connections = try (0..<3).map { _ in try server.enter(.tcp) }
        for index in [1, 0, 2] { try connections[index].send(post("1")) }
        let late = try server.enter(.tcp)
        #expect(connections.map(\.isOpen) == [true, false, true])
        // One that never said anything goes before those that did.
        try connections[0].send(post("1"))
        let later = try server.enter(.tcp)
        #expect(connections.map(\.isOpen) == [true, false, true])
        #expect(!late.isOpen)
        try later.send(post("1"))
        #expect(try later.reply().status == 202)
    }

    @Test func nobodyWhoIsInTheMiddleOfARequestMakesRoomForHisOwnDoor() throws {
        let server = TestServer(answersAtOnce: false) { $0.maxConnections = 2 }
        let (waiting, begun) = (try server.enter(.tcp), try server.enter(.tcp))
        try waiting.send(post("1"))
        try begun.send("POST /")
        let surplus = try server.enter(.tcp)
        try surplus.send(post("1"))
        #expect(try surplus.reply().slug == "too_many_connections")
        #expect(waiting.isOpen && begun.isOpen)
        // Unless it stopped there.
        server.advance(.seconds(4))
        _ = try server.enter(.tcp)
        #expect(waiting.isOpen && !begun.isOpen)
    }

    @Test func aDoorThatHasLessThanHalfTakesAPlaceOfASlowClient() throws {
        let server = TestServer(answersAtOnce: false) { $0.maxConnections = 2 }
        let (waiting, begun) = (try server.enter(.tcp), try server.enter(.tcp))
        try waiting.send(post("1"))
        try begun.send("POST /")
        let other = try server.enter(.unix)
        #expect(waiting.isOpen && !begun.isOpen && other.isOpen)
        try other.send(LinesTests.line("2"))
        server.queue.store()
        #expect(try other.drainOutput() == "{\"acked\":1}\n")
        #expect(try waiting.reply().status == 202)
        // Half is there now; more it does not take from those that are busy.
        try begin(other, server)
        #expect(throws: Never.self) { _ = try server.enter(.unix) }
    }

    private func begin(_ connection: TestConnection, _ server: TestServer) throws { try connection.send("{\"stream\"") }
}

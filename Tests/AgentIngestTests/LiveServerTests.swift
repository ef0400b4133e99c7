// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Glibc
import Testing

@testable import AgentIngest

/// The real thing, on loopback and on a Unix socket.
struct LiveServerTests {
    @Test func speaksHTTPOverTCPAndBothOnTheSocket() async throws {
        let (server, queue, path) = try await start()
        let tcp = try BlockingClient(tcp: try #require(server.httpAddress))
        for number in 1...3 {
            try tcp.send(post("\(number)"))
            #expect(try tcp.receive(until: "}").hasPrefix("HTTP/1.1 202 Accepted\r\n"))
        }
        tcp.close()
        let http = try BlockingClient(unix: path)
        try http.send(post("4").replacing("localhost", with: "any.example"))
        #expect(try http.receive(until: "}").hasPrefix("HTTP/1.1 202 Accepted\r\n"))
        http.close()
        let lines = try BlockingClient(unix: path)
        try lines.send(String(repeating: LinesTests.line("5"), count: 2000))
        lines.halfClose()
        #expect(try lines.receiveAll().hasSuffix("{\"acked\":2000}\n"))
        lines.close()
        #expect(queue.stored.count == 2004)
        await server.shutDown()
    }

    @Test func aReplyArrivesAlthoughTheBodyIsNotRead() async throws {
        let (server, _, _) = try await start { $0.maxRequestBytes = 1 << 20 }
        let client = try BlockingClient(tcp: try #require(server.httpAddress))
        let head = "POST /v1/streams/clicks/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8000000\r\n\r\n"
        try client.send(head)
        try? client.send(String(repeating: "a", count: 300_000))
        #expect(try client.receiveAll().hasPrefix("HTTP/1.1 413 Content Too Large\r\n"))
        client.close()
        await server.shutDown()
    }

    @Test func largeBodiesArriveWhole() async throws {
        let (server, queue, _) = try await start { $0.maxEventBytes = 4 << 20 }
        let client = try BlockingClient(tcp: try #require(server.httpAddress))
        let lines = String(repeating: "{\"a\":\"0123456789\", \"b\": \"01234567890123456789\"}\n", count: 60_000)
        try client.send(post(lines, type: "application/x-ndjson"))
        #expect(try client.receive(until: "}").contains("\"accepted\":60000"))
        client.close()
        #expect(queue.stored.count == 60_000)
        await server.shutDown()
    }

    /// The replies are more than the socket takes at once.
    @Test func repliesNotReadForLongArriveInOrder() async throws {
        let (server, queue, path) = try await start()
        let client = try BlockingClient(unix: path)
        let count = try client.sendUntilStuck(post("1"))
        client.halfClose()
        let replies = try client.receiveAll()
        client.close()
        #expect(count > 100)
        #expect(queue.stored.count == count)
        let ids = replies.split(separator: "\"first_id\":").dropFirst().map { Int($0.prefix { $0.isNumber }) }
        #expect(ids == (1...count).map { $0 })
        await server.shutDown()
    }

    @Test func theIdleOneMakesRoomForANewClient() async throws {
        let (server, _, _) = try await start { $0.maxConnections = 1 }
        let address = try #require(server.httpAddress)
        let first = try BlockingClient(tcp: address)
        try first.send(post("1"))
        #expect(try first.receive(until: "}").hasPrefix("HTTP/1.1 202"))
        let second = try BlockingClient(tcp: address)
        try second.send(post("1"))
        #expect(try second.receive(until: "}").hasPrefix("HTTP/1.1 202"))
        #expect(try first.receiveAll() == "")
        for client in [first, second] { client.close() }
        await server.shutDown()
    }

    @Test func theSocketFileIsOursAlone() async throws {
        let (server, _, path) = try await start { $0.socketMode = 0o620 }
        var status = stat()
        #expect(lstat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o620)
        await #expect(throws: IngestError.socketInUse(path: path)) { _ = try await start(path: path) }
        await server.stopAccepting()
        #expect(access(path, F_OK) != 0)
        await server.shutDown()

        // A socket that a dead process left is replaced.
        let stale = try SocketFile.bind(path, mode: 0o600)
        close(stale.descriptor)
        let (second, _, _) = try await start(path: path)
        await second.shutDown()

        let file = path + ".txt"
        close(open(file, O_CREAT | O_WRONLY, 0o600))
        await #expect(throws: IngestError.notASocket(path: file)) { _ = try await start(path: file) }
        unlink(file)
    }

    @Test func listensOnInheritedSockets() async throws {
        let path = Self.path()
        let (file, descriptor) = try SocketFile.bind(path, mode: 0o600)
        let server = try await IngestServer.start(
            Self.settings("/nonexistent/socket") { $0.http = "" },
            queue: ScriptedQueue(),
            directory: ScriptedDirectory(),
            inherited: [descriptor]
        )
        #expect(server.socketPath == path)
        let client = try BlockingClient(unix: path)
        try client.send("GET /healthz HTTP/1.0\r\n\r\n")
        #expect(try client.receiveAll().hasPrefix("HTTP/1.1 200 OK"))
        client.close()
        await server.shutDown()
        #expect(access(path, F_OK) == 0)
        file.remove()
    }

    @Test(arguments: ["localhost", "127.0.0.1:x", ":80", "::1:80", "127.0.0.1:70000"])
    func badAddressesAreNamed(address: String) async throws {
        await #expect(throws: IngestError.invalidAddress(address)) {
            _ = try await start { $0.http = address }
        }
    }

    @Test func severalEventLoopsShareTheConnections() async throws {
        let (server, queue, _) = try await start { $0.eventLoops = 3 }
        let clients = try (0..<9).map { _ in try BlockingClient(tcp: try #require(server.httpAddress)) }
        for client in clients { try client.send(post("1")) }
        for client in clients {
            #expect(try client.receive(until: "}").hasPrefix("HTTP/1.1 202"))
            client.close()
        }
        #expect(queue.stored.count == 9)
        await server.shutDown()
    }

    @Test func aBeatComesBackOnceEveryLoopHadATurn() async throws {
        let (server, _, _) = try await start { $0.eventLoops = 3 }
        await withCheckedContinuation { continuation in server.beat { continuation.resume() } }
        await server.shutDown()
    }

    @Test func drainsWithinItsTime() async throws {
        let queue = ScriptedQueue(answersAtOnce: false)
        let (server, _, path) = try await start(queue: queue)
        let client = try BlockingClient(unix: path)
        try client.send(post("1"))
        while queue.waiting.isEmpty { await Task.yield() }
        await server.stopAccepting()
        await server.drain(within: .milliseconds(20))
        #expect(try client.receiveAll() == "")
        client.close()
        await server.shutDown()
    }

    private static func path() -> String { "/tmp/agent-ingest-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock" }

    private static func settings(_ path: String, _ change: (inout IngestSettings) -> Void) -> IngestSettings {
        var settings = IngestSettings()
        settings.http = "127.0.0.1:0"
        settings.socketPath = path
        change(&settings)
        return settings
    }

    private func start(
        path: String? = nil,
        queue: ScriptedQueue = ScriptedQueue(),
        _ change: (inout IngestSettings) -> Void = { _ in }
    ) async throws -> (IngestServer, ScriptedQueue, String) {
        let path = path ?? Self.path()
        let settings = Self.settings(path, change)
        return (try await IngestServer.start(settings, queue: queue, directory: ScriptedDirectory()), queue, path)
    }
}

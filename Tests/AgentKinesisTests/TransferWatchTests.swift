// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Glibc
import Testing

@testable import AgentKinesis

@Suite struct TransferWatchTests {
    private let limit: Duration = .seconds(9)
    private let start = Instant(nanoseconds: 1_000_000_000)

    /// Feeds a sample a second until it counts as stalled.
    private func secondsUntilStalled(
        inHaste: Bool = false,
        within seconds: Int = 100,
        _ sample: (Int) -> TransferWatch.Sample
    ) -> Int? {
        var watch = TransferWatch(limit: limit)
        watch.begin(now: start)
        return (0...seconds).first { second in
            watch.stalled(sample(second), inHaste: inHaste, now: start + .seconds(second)) != nil
        }
    }

    private func sample(
        received: Int64 = 0,
        sent: Int64,
        unacknowledged: Int64,
        isKept: Bool = false
    ) -> TransferWatch.Sample {
        TransferWatch.Sample(
            hasBegun: true,
            received: received,
            sent: sent,
            size: 1000,
            unacknowledged: unacknowledged,
            isKept: isKept
        )
    }

    @Test func silenceIsNoStallOnceAllWasSent() {
        #expect(secondsUntilStalled { _ in sample(sent: 1000, unacknowledged: 0) } == nil)
    }

    @Test func aStandstillInTheMiddleOfABodyIsAStall() {
        #expect(secondsUntilStalled { _ in sample(sent: 400, unacknowledged: 100) } == 9)
        #expect(secondsUntilStalled { _ in sample(sent: 1000, unacknowledged: 100) } == 9)
    }

    @Test func aStandstillInTheMiddleOfAnAnswerIsAStall() {
        #expect(secondsUntilStalled { _ in sample(received: 10, sent: 1000, unacknowledged: 0) } == 9)
    }

    @Test func whatTheKernelStillSendsIsMovement() {
        #expect(secondsUntilStalled { sample(sent: 1000, unacknowledged: Int64(1000 - 10 * $0)) } == nil)
        #expect(secondsUntilStalled { sample(sent: 1000, unacknowledged: Int64(max(500, 1000 - 100 * $0))) } == 14)
    }

    @Test func whileConnectingItsOwnLimitHolds() {
        #expect(secondsUntilStalled { _ in TransferWatch.Sample() } == nil)
    }

    @Test func aKeptConnectionThatTakesNothingIsFoundSooner() {
        #expect(secondsUntilStalled { _ in sample(sent: 1000, unacknowledged: 1500, isKept: true) } == 3)
        #expect(secondsUntilStalled { _ in sample(sent: 1000, unacknowledged: 500, isKept: true) } == 9)
        #expect(secondsUntilStalled { _ in sample(sent: 1000, unacknowledged: 0, isKept: true) } == nil)
    }

    @Test func inHasteAlsoTheWaitForAnAnswerCounts() {
        #expect(secondsUntilStalled(inHaste: true) { _ in sample(sent: 1000, unacknowledged: 0) } == 1)
        #expect(secondsUntilStalled(inHaste: true) { sample(sent: 1000, unacknowledged: Int64(1000 - 10 * $0)) } == nil)
    }

    @Test func theStallLimitFollowsTheRequestsLimit() {
        #expect(KinesisSettings(requestTimeout: .seconds(60)).stallTimeout == .seconds(20))
        #expect(KinesisSettings().stallTimeout == .seconds(10))
    }
}

@Suite struct OpenSocketsTests {
    @Test func theConnectionInUseHasItsTimeoutAndTellsWhatIsUnacknowledged() throws {
        let server = ScriptedServer([])
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let sockets = OpenSockets(userTimeout: .seconds(7))
        sockets.beginRequest()
        sockets.opened(socket)
        #expect(!sockets.isKept)
        let port = try #require(connect(socket, to: server.port))
        sockets.use(localPort: port)

        var (timeout, length) = (UInt32(0), socklen_t(4))
        #expect(getsockopt(socket, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &timeout, &length) == 0)
        #expect(timeout == 7000)
        // Nobody accepts, but the kernel takes what fits its buffers; then bytes stay here.
        let chunk = [UInt8](repeating: 0, count: 1 << 20)
        for _ in 0..<64 { _ = send(socket, chunk, chunk.count, Int32(MSG_DONTWAIT)) }
        #expect(sockets.unacknowledged > 0)

        sockets.beginRequest()
        #expect(sockets.isKept && sockets.unacknowledged == 0)
        sockets.use(localPort: port)
        #expect(sockets.unacknowledged > 0)
        sockets.awaitsAnswer = true
        #expect(sockets.close(socket) == 0)
        withExtendedLifetime(server) {}
    }

    private func connect(_ socket: Int32, to port: UInt16) -> UInt16? {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        address.sin_port = port.bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                guard Glibc.connect(socket, generic, length) == 0, getsockname(socket, generic, &length) == 0 else {
                    return nil
                }
                return generic.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    UInt16(bigEndian: $0.pointee.sin_port)
                }
            }
        }
    }
}

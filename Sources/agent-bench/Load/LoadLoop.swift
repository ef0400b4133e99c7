// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Drives all connections from one thread, each with as many requests under way as it may have: the agent's answers
/// set the pace, or a rate does that it can keep up with.
final class LoadLoop {
    /// Whichever comes first.
    struct Goal {
        var events: Int?
        var seconds: Double?
        /// No more events a second than these.
        var rate: Double?
        /// Leave at the goal with requests under way, rather than wait for their answers.
        var abandonsAnswers = false
    }

    struct Result {
        var events = 0
        var seconds = 0.0
        /// From writing a request to reading its answer.
        var latencies = Histogram()
    }

    private static let patienceSeconds = 30.0
    private let connections: [LoadConnection]
    private var polled: [pollfd]
    private let block: UnsafeMutableRawBufferPointer
    private var nextEvent = 0

    init(_ connections: [LoadConnection]) {
        self.connections = connections
        polled = connections.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        block = .allocate(byteCount: 64 << 10, alignment: 16)
    }

    deinit { block.deallocate() }

    func run(_ goal: Goal) throws(BenchError) -> Result {
        var result = Result()
        let start = Monotonic.now()
        let end = goal.seconds.map { Monotonic.after(seconds: $0) } ?? .max
        let limit = goal.events ?? .max
        var lastAnswer = start
        var now = start
        func isDue() -> Bool { goal.rate.map { Double(result.events) < Double(now - start) / 1e9 * $0 } ?? true }
        func fill(_ connection: LoadConnection) throws(BenchError) {
            while connection.canBegin, result.events < limit, now < end, isDue() {
                try connection.begin(firstEvent: nextEvent, now: now)
                nextEvent += connection.eventsPerRequest
                result.events += connection.eventsPerRequest
            }
        }
        for connection in connections { try fill(connection) }
        while true {
            try Interruption.check()
            if result.events >= limit || now >= end {
                if goal.abandonsAnswers || connections.allSatisfy(\.isIdle) { break }
            }
            for (index, connection) in connections.enumerated() {
                polled[index].events = Int16(connection.isWriting ? POLLIN | POLLOUT : POLLIN)
            }
            let ready = poll(&polled, nfds_t(polled.count), goal.rate == nil ? 100 : 1)
            if ready < 0, errno != EINTR { throw .system(call: "poll", object: "connections", errno: errno) }
            now = Monotonic.now()
            if goal.rate != nil { for connection in connections { try fill(connection) } }
            guard ready > 0 else {
                if connections.allSatisfy(\.isIdle) { lastAnswer = now }
                if now > lastAnswer + UInt64(Self.patienceSeconds * 1e9) {
                    throw .stalled("The agent has not answered for \(Int(Self.patienceSeconds)) s.")
                }
                continue
            }
            lastAnswer = now
            for index in polled.indices where polled[index].revents != 0 {
                let connection = connections[index]
                // Read late in a crowd, an answer must not look as if it had come at the poll's return.
                if Int32(polled[index].revents) & POLLIN != 0 || Int32(polled[index].revents) & (POLLHUP | POLLERR) != 0
                {
                    now = Monotonic.now()
                    try connection.read(into: block, now: now, &result.latencies)
                }
                try connection.write()
                try fill(connection)
            }
        }
        result.seconds = Monotonic.seconds(since: start)
        return result
    }
}

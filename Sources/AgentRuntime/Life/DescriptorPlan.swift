// SPDX-License-Identifier: Apache-2.0
internal import AgentSystemd

/// How the file descriptors that this process may have are shared out. Clients take as many as they like, so that what
/// they get is what the others leave: the queue's files, requests to Kinesis and operators come first.
struct DescriptorPlan: Equatable {
    /// The soft limit to set.
    let softLimit: Int
    /// How many connections intake may have.
    let connections: Int

    /// - Parameters:
    ///   - wanted: `listen.max_connections`.
    ///   - inUse: open already.
    init(wanted: Int, workers: Int, inUse: Int, limit: DescriptorLimit) {
        let reserve = inUse + Self.reserve(workers: workers)
        let need = reserve + Self.descriptors(connections: wanted)
        if need <= limit.hard {
            softLimit = max(limit.soft, need)
            connections = wanted
            return
        }
        softLimit = limit.hard
        // A quarter more are accepted, to be refused in words: see `IngestSettings.maxConnections`.
        let room = limit.hard - reserve
        connections = max(1, min(wanted, room >= 80 ? room * 4 / 5 : room - 16))
    }

    private static func descriptors(connections: Int) -> Int { connections + max(connections / 4, 16) }

    /// What is not for clients: for each worker a connection, a name lookup and a new connection beside an old one; the
    /// queue's file, WAL and index for writer, reader and what is carried over; the control socket and its
    /// connections; event loops and timers; files that are read now and then.
    private static func reserve(workers: Int) -> Int { 4 * workers + 24 + 40 + 16 + 16 }
}

// SPDX-License-Identifier: Apache-2.0

/// What an operator should know of how events come in. What goes on happening is told of once a minute, and what is
/// over once it has not happened for a minute.
public enum IngestNotice: Hashable, Sendable {
    /// Clients that began much and did not go on were cut off, so many since the last notice, because others needed
    /// what they held of `listen.memory`.
    case memoryShort(closed: Int)
    case memoryEnough
    /// Much of what was held is free again: it may be given back to the system.
    case memoryFreed
    /// Connections cannot be accepted, mostly for want of file descriptors; it is tried again ten times a second.
    case cannotAccept(reason: String)
    case acceptsAgain
    /// All of `listen.max_connections` are in use, by clients that are not idle: so many were turned away.
    case connectionsUsedUp(turnedAway: Int)
    case connectionsFree
    /// Clients began with TLS, which is not spoken: so many connections were closed since the last notice.
    case tlsMet(connections: Int)
}

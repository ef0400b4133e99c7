// SPDX-License-Identifier: Apache-2.0

internal import NIOCore

/// What is spoken on a connection. All functions are called on the connection's event loop.
protocol Conversation: AnyObject {
    /// Whether more input is of use now.
    var wantsInput: Bool { get }
    /// What it has in memory that is not with the queue, in bytes.
    var heldBytes: Int { get }
    /// Whether what is being read will not hold more than ``ByteBudget/smallBytes``.
    var isSmall: Bool { get }
    /// Bytes that are missing of what is being read, where that is known.
    var missingBytes: Int? { get }
    /// Whether nothing is in progress: the connection may be closed without loss to anybody.
    var isIdle: Bool { get }
    /// Whether what it holds waits for the agent, not for the client.
    var waitsForQueue: Bool { get }

    /// Takes all that there is; what cannot be understood yet it keeps.
    func received(_ buffer: inout ByteBuffer)
    /// The client will say no more, but may listen.
    func inputEnded()
    /// What was to be written was taken by the socket.
    func flushed()
    /// The event loop turned, which the conversation asked for.
    func goOn()
    /// It may read on, after a time in which it was not read.
    func mayReadOn()
    /// Bytes that it waited for are charged.
    func roomGranted(_ bytes: Int)
    /// Ends, and says why: what it holds is needed for others.
    func giveWay()
    /// Time passed: closes what is idle or too slow.
    func sweep(now: NIODeadline)
    /// Ends after what is in progress.
    func drain()
    /// The connection is gone.
    func lost()
}

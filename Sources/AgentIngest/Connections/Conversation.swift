// SPDX-License-Identifier: Apache-2.0

internal import NIOCore

/// What is spoken on a connection. All functions are called on the connection's event loop.
protocol Conversation: AnyObject {
    /// Whether more input is of use now.
    var wantsInput: Bool { get }
    /// What the next input is to memory, when that is short.
    var need: InputNeed { get }

    /// Takes all that there is; what cannot be understood yet it keeps.
    func received(_ buffer: inout ByteBuffer)
    /// The client will say no more, but may listen.
    func inputEnded()
    /// What was to be written was taken by the socket.
    func flushed()
    /// Bytes that it waited for were reserved.
    func roomGranted()
    /// Time passed: closes what is idle or too slow.
    func sweep(now: NIODeadline)
    /// Ends after what is in progress.
    func drain()
    /// The connection is gone.
    func lost()
}

/// What input would do to the memory that connections share.
enum InputNeed {
    /// It belongs to what is paid for.
    case reserved
    /// It begins something new, which can wait.
    case begins
    /// It makes something longer that began already: see ``ByteBudget``.
    case grows
}

// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import NIOCore

/// The socket of a channel, to send to past the channel.
///
/// A reply is small and nearly always taken whole at once; then the channel's queue of writes, with its checks and
/// its bookkeeping, is most of what the process itself spends on it. What the socket does not take, and every error,
/// is left to the channel. Only for use on the channel's event loop, while the channel is active and has nothing
/// that is still to be written.
struct DirectSocket {
    private let descriptor: CInt

    /// `nil` where the channel is none of the operating system's.
    init?(of context: ChannelHandlerContext) {
        let descriptor = try? context.pipeline.syncOperations
            .withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { $0 }
        guard let descriptor else { return nil }
        self.descriptor = descriptor
    }

    /// Sends from the front of `buffer` what the socket takes without waiting.
    func send(_ buffer: inout ByteBuffer) {
        let sent = buffer.withUnsafeReadableBytes { bytes in
            Glibc.send(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_DONTWAIT | MSG_NOSIGNAL))
        }
        if sent > 0 { buffer.moveReaderIndex(forwardBy: sent) }
    }

    /// What the client has sent that is not read yet.
    var unreadBytes: Int {
        var count: CInt = 0
        return ioctl(descriptor, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
    }
}

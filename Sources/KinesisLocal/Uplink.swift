// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import NIOCore

/// When a link of so many bytes a second is free again: each byte holds it for its time, and nothing is saved up.
struct LinkSchedule {
    let bytesPerSecond: Int
    private(set) var freeAt = Instant.zero

    /// - Parameter bytesPerSecond: At least 1.
    init(bytesPerSecond: Int) { self.bytesPerSecond = bytesPerSecond }

    mutating func carried(_ bytes: Int, now: Instant) {
        let nanoseconds = Double(bytes) / Double(bytesPerSecond) * 1e9
        freeAt = max(freeAt, now) + .nanoseconds(Int64(nanoseconds))
    }
}

/// The link over which all requests of a server come in. Belongs to its event loop.
final class Uplink {
    var schedule: LinkSchedule
    /// What one connection may take at a time, so that the others have their turn.
    let chunkBytes: Int

    init(bytesPerSecond: Int) {
        schedule = LinkSchedule(bytesPerSecond: bytesPerSecond)
        chunkBytes = min(16 << 10, max(1, bytesPerSecond / 50))
    }
}

/// Reads from a connection when the link is free.
final class UplinkHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never

    private let uplink: Uplink
    private var isWaiting = false

    init(_ uplink: Uplink) { self.uplink = uplink }

    func handlerAdded(context: ChannelHandlerContext) {
        let options = context.channel.syncOptions
        let allocator = FixedSizeRecvByteBufferAllocator(capacity: uplink.chunkBytes)
        do {
            try options?.setOption(.recvAllocator, value: allocator)
            try options?.setOption(.maxMessagesPerRead, value: 1)
        } catch {
            // Options of a socket that is gone: so is what would have come in.
            context.close(promise: nil)
        }
    }

    func read(context: ChannelHandlerContext) {
        guard !isWaiting else { return }
        let wait = uplink.schedule.freeAt - Moment.now().monotonic
        guard wait > .zero else {
            context.read()
            return
        }
        isWaiting = true
        context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(wait.wholeNanoseconds)) {
            self.isWaiting = false
            self.read(context: context)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        uplink.schedule.carried(unwrapInboundIn(data).readableBytes, now: Moment.now().monotonic)
        context.fireChannelRead(data)
    }
}

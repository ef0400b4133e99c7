// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import NIOCore

/// Stops watching a listening socket for a moment when a connection cannot be accepted, for want of descriptors or
/// memory: the socket stays readable, so it would be tried again without end. Reports that, and why.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = Channel

    private static let pause = TimeAmount.milliseconds(100)

    private let report: @Sendable (IngestError) -> Void
    private let notify: @Sendable (IngestNotice) -> Void
    private var failures = Recurring()
    private var surplus = Recurring()
    private var isPaused = false

    init(report: @escaping @Sendable (IngestError) -> Void, notify: @escaping @Sendable (IngestNotice) -> Void) {
        self.report = report
        self.notify = notify
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let now = context.eventLoop.now
        if case .some(.accept) = error as? IngestError {
            guard let count = surplus.happened(at: now) else { return }
            notify(.connectionsUsedUp(turnedAway: count))
            lookAgain(context)
            return
        }
        if error is IOError { stopWatching(context) }
        guard failures.happened(at: now) != nil else { return }
        report(.accept(reason: "\(error)"))
        notify(.cannotAccept(reason: "\(error)"))
        lookAgain(context)
    }

    private func stopWatching(_ context: ChannelHandlerContext) {
        if isPaused { return }
        isPaused = true
        try? context.channel.syncOptions?.setOption(.autoRead, value: false)
        let channel = context.channel
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) {
            self.isPaused = false
            try? channel.syncOptions?.setOption(.autoRead, value: true)
        }
    }

    /// Says that it is over once it is.
    private func lookAgain(_ context: ChannelHandlerContext) {
        context.eventLoop.assumeIsolated().scheduleTask(in: Recurring.period) { [weak self] in
            guard let self else { return }
            let now = NIODeadline.now()
            if failures.isOver(at: now) { notify(.acceptsAgain) }
            if surplus.isOver(at: now) { notify(.connectionsFree) }
            if failures.isGoingOn || surplus.isGoingOn { lookAgain(context) }
        }
    }
}

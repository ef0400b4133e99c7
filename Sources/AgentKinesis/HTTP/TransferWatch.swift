// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// Tells a request that is slow from one that is stuck. Pure: what the connection shows and the time are arguments.
///
/// A slow link moves bytes, though not in view of libcurl: the kernel takes hundreds of KiB at once and sends them for
/// seconds, so what its peer has not acknowledged counts too. And once all is acknowledged, silence means nothing: the
/// service may take for its answer as long as the whole request may take.
struct TransferWatch {
    /// What the connection of a request shows.
    struct Sample: Equatable {
        /// Before the request is begun, the time for connecting is the limit.
        var hasBegun = false
        /// Bytes of the answer's body.
        var received: Int64 = 0
        /// Bytes of the request's body that the kernel has taken, of how many.
        var sent: Int64 = 0
        var size: Int64 = 0
        /// Bytes that the peer has not acknowledged.
        var unacknowledged: Int64 = 0
        /// Whether the connection carried requests before this one.
        var isKept = false

        var awaitsAnswer: Bool { received == 0 && sent == size && unacknowledged == 0 }

        /// Not a byte of this request reached the peer.
        var isUnheard: Bool { unacknowledged > 0 && unacknowledged >= sent }
    }

    /// How long no byte may move while some should.
    let limit: Duration
    /// For the first bytes on a kept connection: it may have died without a word while it was idle.
    private let limitOfKept: Duration
    /// Where others want the worker.
    private let limitInHaste: Duration

    private(set) var last = Sample()
    private var movedAt = Instant.zero

    init(limit: Duration) {
        self.limit = limit
        limitOfKept = limit / 3
        limitInHaste = min(limit, .seconds(1))
    }

    mutating func begin(now: Instant) {
        last = Sample()
        movedAt = now
    }

    /// - Parameter inHaste: End also what waits for its answer, as soon as it is silent.
    /// - Returns: How long no byte moved, where that is too long.
    mutating func stalled(_ sample: Sample, inHaste: Bool, now: Instant) -> Duration? {
        if sample != last { movedAt = now }
        last = sample
        let silence = now - movedAt
        if inHaste { return silence >= limitInHaste ? silence : nil }
        guard sample.hasBegun, !sample.awaitsAnswer else { return nil }
        return silence >= (sample.isKept && sample.isUnheard ? limitOfKept : limit) ? silence : nil
    }
}

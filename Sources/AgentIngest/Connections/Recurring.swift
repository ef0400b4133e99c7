// SPDX-License-Identifier: Apache-2.0

internal import NIOCore

/// Something that may happen a thousand times a second, and is told of once a minute.
struct Recurring {
    static let period = TimeAmount.seconds(60)

    private var untold = 0
    private var told: NIODeadline?
    private var last: NIODeadline?

    var isGoingOn: Bool { told != nil }

    /// - Returns: how often it happened that was not told of, when it is time to tell.
    mutating func happened(_ times: Int = 1, at now: NIODeadline) -> Int? {
        untold += times
        last = now
        if let told, now - told < Self.period { return nil }
        told = now
        defer { untold = 0 }
        return untold
    }

    /// Whether it was told of and has not happened for a minute: `true` once.
    mutating func isOver(at now: NIODeadline) -> Bool {
        guard let last, now - last >= Self.period else { return false }
        self = Recurring()
        return true
    }
}

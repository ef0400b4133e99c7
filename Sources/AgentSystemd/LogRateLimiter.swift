// SPDX-License-Identifier: Apache-2.0

public import AgentCore

/// Keeps a fault that repeats from filling the journal, without hiding that it goes on.
///
/// Of each class of lines, a burst is let through, then one line an interval, which tells how many were left out. A
/// class that was silent for an interval starts afresh. Pure: time is an argument.
public struct LogRateLimiter: Sendable {
    public enum Verdict: Sendable, Equatable {
        /// Write the line; `suppressed` lines of its class were left out before it.
        case write(suppressed: Int)
        case suppress
    }

    private struct Class {
        var intervalStart: Instant
        var last: Instant
        var written: Int
        var suppressed = 0
    }

    private let burst: Int
    private let interval: Duration
    private let maxClasses: Int
    private var classes: [String: Class] = [:]
    private var nextLook = Instant(nanoseconds: .min)

    /// - Parameters:
    ///   - burst: lines of a class that are written before it is limited; 1 or more.
    ///   - interval: how often a limited class is written.
    ///   - maxClasses: how many classes are told apart; the one that was quiet longest is forgotten for a new one.
    public init(burst: Int = 5, interval: Duration = .seconds(60), maxClasses: Int = 1024) {
        self.burst = max(1, burst)
        self.interval = interval
        self.maxClasses = max(1, maxClasses)
    }

    public mutating func admit(_ name: String, now: Instant) -> Verdict {
        guard var entry = classes[name] else {
            makeRoom()
            classes[name] = Class(intervalStart: now, last: now, written: 1)
            return .write(suppressed: 0)
        }
        defer { classes[name] = entry }
        let wasSilent = now - entry.last >= interval
        entry.last = now
        if wasSilent {
            defer { entry = Class(intervalStart: now, last: now, written: 1) }
            return .write(suppressed: entry.suppressed)
        }
        if entry.written < burst {
            entry.written += 1
            return .write(suppressed: 0)
        }
        guard now - entry.intervalStart >= interval else {
            entry.suppressed += 1
            return .suppress
        }
        defer { entry.suppressed = 0 }
        entry.intervalStart = now
        return .write(suppressed: entry.suppressed)
    }

    /// The classes that went silent with lines left out, and how many; each is told once. Looks no more often than
    /// four times an interval, so that it may be called for each line.
    public mutating func settled(now: Instant) -> [(name: String, suppressed: Int)] {
        guard now >= nextLook else { return [] }
        nextLook = now + interval / 4
        let silent = classes.filter { now - $0.value.last >= interval }
        for name in silent.keys { classes[name] = nil }
        return silent.filter { $0.value.suppressed > 0 }
            .map { ($0.key, $0.value.suppressed) }
            .sorted { $0.name < $1.name }
    }

    private mutating func makeRoom() {
        guard classes.count >= maxClasses, let quietest = classes.min(by: { $0.value.last < $1.value.last }) else {
            return
        }
        classes[quietest.key] = nil
    }
}

// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// A way in.
enum Door: Int, Sendable, CaseIterable {
    case tcp
    case unix

    var other: Door { self == .tcp ? .unix : .tcp }
}

/// Connections of all event loops, by the door they came through.
///
/// Each door may take what the other does not use, but half is its own: where all is used up, a new client of the one
/// that has less takes a place of the other.
final class ConnectionCount: Sendable {
    enum Admission: Equatable {
        case welcome
        /// All are in use, and the places of that door are to be given up first.
        case crowded(Door)
    }

    private let limit: Int
    private let tcp = Atomic(0)
    private let unix = Atomic(0)
    private let surplus = Atomic(0)

    init(limit: Int) { self.limit = limit }

    private func count(_ door: Door) -> Int {
        switch door {
        case .tcp: tcp.load(ordering: .relaxed)
        case .unix: unix.load(ordering: .relaxed)
        }
    }

    private func change(_ door: Door, by step: Int) {
        switch door {
        case .tcp: tcp.wrappingAdd(step, ordering: .relaxed)
        case .unix: unix.wrappingAdd(step, ordering: .relaxed)
        }
    }

    /// Asks for a place; one that is ``Admission/welcome`` must ``leave(_:isSurplus:)``.
    func enter(_ door: Door) -> Admission {
        change(door, by: 1)
        if count(.tcp) + count(.unix) <= limit { return .welcome }
        change(door, by: -1)
        return .crowded(count(door) * 2 >= limit ? door : door.other)
    }

    /// Asks for a place of one that is only told that there is none: there is a quarter more of these.
    /// - Returns: whether there is even that; then it must ``leave(_:isSurplus:)``.
    func enterAsSurplus() -> Bool {
        if surplus.wrappingAdd(1, ordering: .relaxed).newValue <= max(limit / 4, 16) { return true }
        surplus.wrappingSubtract(1, ordering: .relaxed)
        return false
    }

    func leave(_ door: Door, isSurplus: Bool) {
        if isSurplus { surplus.wrappingSubtract(1, ordering: .relaxed) } else { change(door, by: -1) }
    }
}

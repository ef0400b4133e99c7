// SPDX-License-Identifier: Apache-2.0

/// What a request has to wait for, and so what it can hold up.
public enum ControlLane: Sendable, CaseIterable {
    /// Answered for all who ask together; without bound.
    case shared
    /// Reads the queue.
    case reading
    /// Waits for a commit.
    case writing
    /// Waits as long as its sender likes.
    case waiting
}

/// Which requests are worked on, which have their turn later, and which are refused, so that no kind of them takes the
/// place of the others.
struct ControlAdmission<ID: Hashable> {
    enum Decision: Equatable {
        case begin, later, refuse
    }

    private struct Line {
        var working: Set<ID> = []
        var later: [ID] = []
    }

    private var lines: [ControlLane: Line] = [:]

    /// How many of a lane are worked on at once, and how many more may wait for their turn.
    static func bounds(_ lane: ControlLane) -> (working: Int, later: Int) {
        switch lane {
        case .shared: (.max, 0)
        // An answer may have 4 MiB of payload.
        case .reading: (4, 8)
        // A request may have 12 MiB of payload.
        case .writing: (4, 8)
        // Its turn would come when others have waited long enough: nobody could tell when.
        case .waiting: (8, 0)
        }
    }

    mutating func enter(_ id: ID, _ lane: ControlLane) -> Decision {
        let (working, later) = Self.bounds(lane)
        var line = lines[lane] ?? Line()
        defer { lines[lane] = line }
        if line.working.count < working {
            line.working.insert(id)
            return .begin
        }
        guard line.later.count < later else { return .refuse }
        line.later.append(id)
        return .later
    }

    /// - Returns: Whose turn it is now.
    mutating func leave(_ id: ID, _ lane: ControlLane) -> ID? {
        var line = lines[lane] ?? Line()
        defer { lines[lane] = line }
        guard line.working.remove(id) != nil else {
            line.later.removeAll { $0 == id }
            return nil
        }
        guard !line.later.isEmpty else { return nil }
        let next = line.later.removeFirst()
        line.working.insert(next)
        return next
    }
}

extension ControlLane {
    /// Why a request of the lane is refused.
    var refusal: ControlError {
        switch self {
        case .waiting:
            ControlError(
                .unavailable,
                "\(ControlAdmission<ObjectIdentifier>.bounds(self).working) calls wait for an empty queue already. Try "
                    + "again when one of them has ended, or look only: --timeout 0."
            )
        case .shared, .reading, .writing:
            ControlError(.unavailable, "Others ask too much of this agentd at the moment. Try again.")
        }
    }
}

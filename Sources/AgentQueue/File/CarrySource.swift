// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite

/// Reads what a damaged table still gives, some rows at a time. Confined to the writer's queue.
final class CarrySource {
    enum Outcome {
        case more
        /// The disk did not give a row that it may give later.
        case later
        case end
    }

    static let columns = "id, key, hash_key, accepted_ms, crc, data"
    static let letterColumns = columns + ", dead_ms, code, reason"

    /// The damaged file, opened: for all its tables once, as opening it reads the names of all of them.
    final class File {
        let source: String
        fileprivate let connection: SQLiteConnection

        /// - Parameter folder: where the queue lies.
        init(_ source: String, in folder: String, vfs: String?) throws(QueueError) {
            self.source = source
            connection = try SQLiteConnection.damaged("\(folder)/\(source)", vfs: vfs)
        }
    }

    let carryOver: CarryOver
    let file: File
    private let up: SQLiteStatement
    private let down: SQLiteStatement
    /// The rows after which the statements stand; `nil` where they have to be put somewhere first.
    private var upAt: EventID?
    private var downAt: EventID?
    /// How often in a row the disk gave nothing.
    private var failures = 0
    private static let mostFailures = 5
    /// What passing over a damaged place counts, in rows.
    private static let skipCost = 50

    init(_ carryOver: CarryOver, in file: File) throws(QueueError) {
        self.carryOver = carryOver
        self.file = file
        let (columns, table, filter) =
            switch carryOver.rows {
            case .events: (Self.columns, Schema.eventTable(carryOver.destination), "")
            case .letters: (Self.letterColumns, "dead_letter", "AND destination = \(carryOver.destination.rawValue)")
            }
        up = try SQLiteStatement(file.connection, "SELECT \(columns) FROM \(table) WHERE id > ?1 \(filter) ORDER BY id")
        down = try SQLiteStatement(
            file.connection,
            "SELECT \(columns) FROM \(table) WHERE id < ?1 AND id > ?2 \(filter) ORDER BY id DESC"
        )
    }

    /// Whether it reads for this entry, however far that has come.
    func isOf(_ other: CarryOver) -> Bool {
        other.destination == carryOver.destination && other.rows == carryOver.rows && other.source == carryOver.source
    }

    /// Calls `body` with rows, the checksums of which are not looked at, and moves `place` on.
    func read(
        from place: inout CarryOver.Place,
        mostRows: Int,
        mostBytes: Int64,
        _ body: (borrowing SQLiteStatement) throws(QueueError) -> Int64
    ) throws(QueueError) -> Outcome {
        var rows = 0
        var bytes: Int64 = 0
        while rows < mostRows, bytes < mostBytes {
            switch advance(&place) {
            case .foundUp: bytes += try body(up)
            case .foundDown: bytes += try body(down)
            case .nothing: rows += Self.skipCost
            case .later: return .later
            case .end: return .end
            }
            rows += 1
        }
        return .more
    }

    private enum Step {
        case foundUp
        case foundDown
        case nothing
        case later
        case end
    }

    private func advance(_ place: inout CarryOver.Place) -> Step {
        guard place.resume == .zero else { return goDown(&place) }
        guard place.after.rawValue < carryOver.below.rawValue - 1 else { return .end }
        do throws(QueueError) {
            if upAt != place.after { try putUp(place.after) }
            guard try up.step() else {
                upAt = nil
                return .end
            }
        } catch {
            upAt = nil
            if case .unreadable = error, failures < Self.mostFailures {
                failures += 1
                return .later
            }
            return passOver(&place)
        }
        failures = 0
        let id = EventID(up.integer(0))
        guard id > place.after, id < carryOver.below else { return passOver(&place) }
        place.after = id
        upAt = id
        return .foundUp
    }

    private func goDown(_ place: inout CarryOver.Place) -> Step {
        do throws(QueueError) {
            if downAt != place.down {
                down.reset()
                try down.bind(1, place.down)
                try down.bind(2, place.after)
            }
            if try down.step() {
                let id = EventID(down.integer(0))
                if id > place.after, id < place.down {
                    place.down = id
                    downAt = id
                    return .foundDown
                }
            }
        } catch {
            // As far as it can be read from this side.
        }
        down.reset()
        downAt = nil
        place = CarryOver.Place(after: place.resume)
        return .nothing
    }

    /// Looks for the next row that can be read, in steps that grow: a damaged page holds neighbours.
    private func passOver(_ place: inout CarryOver.Place) -> Step {
        var step: Int64 = 1
        while step < carryOver.below.rawValue - 1 - place.after.rawValue {
            do throws(QueueError) {
                let start = EventID(place.after.rawValue + step)
                try putUp(start)
                guard try up.step() else { break }
                let id = EventID(up.integer(0))
                if id > start, id < carryOver.below {
                    place.resume = id
                    place.down = id
                    upAt = id
                    return .foundUp
                }
            } catch {
                // Not from here.
            }
            // Finely enough to meet what can be read between two damaged places.
            step += max(1, step / 8)
        }
        upAt = nil
        place.resume = EventID(carryOver.below.rawValue - 1)
        place.down = carryOver.below
        return .nothing
    }

    private func putUp(_ after: EventID) throws(QueueError) {
        up.reset()
        try up.bind(1, after)
    }
}

// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite

/// The SQL function by which one DELETE takes chosen rows out of a table and counts what they held.
///
/// Settled events of many keys leave holes. To walk the table once, and ask of each row whether it is wanted, costs
/// half as much as to look for runs of neighbours first and to delete each run by a statement.
final class TakenRows {
    /// Of id, length of data, key and hash key: 1 where the row is wanted.
    static let function = "taken"

    private struct State {
        var ids: UnsafeBufferPointer<EventID> = .init(start: nil, count: 0)
        var next = 0
        var rows = RemovedRows()

        /// - Parameter id: Rows come in the order of their ids.
        mutating func take(_ id: EventID, bytes: Int64) -> Bool {
            while next < ids.count, ids[next] < id { next &+= 1 }
            guard next < ids.count, ids[next] == id else { return false }
            next &+= 1
            rows.add(id, bytes: bytes + QueueTotals.eventOverhead)
            return true
        }
    }

    private let state: UnsafeMutablePointer<State>

    /// - Parameter connection: Runs no statement with the function once this is gone.
    init(_ connection: borrowing SQLiteConnection) throws(QueueError) {
        state = .allocate(capacity: 1)
        state.initialize(to: State())
        let result = sqlite3_create_function_v2(
            connection.handle,
            Self.function,
            4,
            SQLITE_UTF8 | SQLITE_DIRECTONLY,
            state,
            { context, _, values in
                guard let values, let state = sqlite3_user_data(context) else { return }
                let keys = sqlite3_value_bytes(values[2]) + sqlite3_value_bytes(values[3])
                let isTaken = state.assumingMemoryBound(to: State.self).pointee.take(
                    EventID(sqlite3_value_int64(values[0])),
                    bytes: sqlite3_value_int64(values[1]) + Int64(keys)
                )
                sqlite3_result_int(context, isTaken ? 1 : 0)
            },
            nil,
            nil,
            nil
        )
        try check(result, "sqlite3_create_function", connection.handle)
    }

    deinit { state.deallocate() }

    /// Runs `statement`, which deletes rows of which the function says so: those of `ids`, which ascend.
    /// - Returns: What was there of them.
    func run(_ statement: borrowing SQLiteStatement, _ ids: ArraySlice<EventID>) throws(QueueError) -> RemovedRows {
        let failure: QueueError? = ids.withUnsafeBufferPointer { ids in
            state.pointee = State(ids: ids)
            defer { state.pointee.ids = .init(start: nil, count: 0) }
            do throws(QueueError) {
                try statement.run()
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
        return state.pointee.rows
    }
}

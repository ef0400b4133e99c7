// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// The tables in use, with their prepared statements, up to a number of them.
///
/// A table that finds no place takes that of any other, chosen by chance. Where the least recently used one would go, a
/// round over one table more than there is room for would never find one; so it still finds most.
struct TableCache<Table> {
    private let capacity: Int
    private var places: [DestinationID: Int] = [:]
    private var tables: [(id: DestinationID, table: Table)] = []
    /// The one asked for last, which often is the next too.
    private var latest = 0
    /// Of a xorshift generator, which needs no quality here: <https://en.wikipedia.org/wiki/Xorshift>.
    private var chance: UInt64 = 0x9e37_79b9_7f4a_7c15

    init(capacity: Int) { self.capacity = capacity }

    var count: Int { tables.count }

    mutating func known(_ id: DestinationID) -> Table? {
        if latest < tables.count, tables[latest].id == id { return tables[latest].table }
        guard let place = places[id] else { return nil }
        latest = place
        return tables[place].table
    }

    /// - Parameter id: of none that is known.
    mutating func add(_ id: DestinationID, _ table: Table) {
        if tables.count < capacity {
            latest = tables.count
            tables.append((id, table))
        } else {
            latest = anyPlace()
            places[tables[latest].id] = nil
            tables[latest] = (id, table)
        }
        places[id] = latest
    }

    private mutating func anyPlace() -> Int {
        chance ^= chance << 13
        chance ^= chance >> 7
        chance ^= chance << 17
        return Int(chance % UInt64(tables.count))
    }
}

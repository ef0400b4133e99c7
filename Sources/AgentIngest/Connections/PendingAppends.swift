// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import NIOCore

/// What is with the queue or on its way to Kinesis, by the token that comes back with the answer.
///
/// A token is a place in a table and how often the place was used, so that a late answer finds nothing.
struct PendingAppends {
    struct Entry {
        enum Owner {
            case exchange(HTTPConversation, sequence: UInt64, shape: ReplyShape)
            case lines(LinesConversation)
        }

        let owner: Owner
        let destination: DestinationID
        let count: Int
        /// What it holds of the budget.
        var bytes: Int
        let awaitsDelivery: Bool
        /// Once it is stored.
        var first: EventID?
    }

    private struct Place {
        var uses: UInt32 = 0
        var entry: Entry?
    }

    private var places: [Place] = []
    private var free: [UInt32] = []

    var count: Int { places.count - free.count }

    mutating func insert(_ entry: Entry) -> UInt64 {
        guard let index = free.popLast() else {
            places.append(Place(entry: entry))
            return UInt64(places.count - 1)
        }
        places[Int(index)].entry = entry
        return UInt64(places[Int(index)].uses) << 32 | UInt64(index)
    }

    subscript(token: UInt64) -> Entry? {
        find(token).flatMap { places[$0].entry }
    }

    mutating func remove(_ token: UInt64) -> Entry? {
        guard let index = find(token), let entry = places[index].entry.take() else { return nil }
        places[index].uses &+= 1
        free.append(UInt32(index))
        return entry
    }

    mutating func update(_ token: UInt64, _ change: (inout Entry) -> Void) {
        guard let index = find(token), var entry = places[index].entry else { return }
        change(&entry)
        places[index].entry = entry
    }

    private func find(_ token: UInt64) -> Int? {
        let index = Int(token & 0xffff_ffff)
        guard index < places.count, places[index].uses == UInt32(token >> 32) else { return nil }
        return index
    }
}

/// The form in which a request wants its answer.
enum ReplyShape {
    case native
    /// 200 with a sequence number, 202 or 422.
    case put
    /// Only 200, 400 and 500.
    case lambda
}

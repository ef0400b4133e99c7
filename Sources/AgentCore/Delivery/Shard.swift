// SPDX-License-Identifier: Apache-2.0
internal import DequeModule

/// A shard of one stream, as far as answers have told of it.
final class Shard {
    let name: String
    /// The outermost points of the hash space for which it was named.
    var first: UInt128
    var last: UInt128
    /// `nil`: nothing was refused for long.
    var pace: ShardPace?
    /// Keys whose next event waits for the shard, in their turn. Those among them that are not ``KeyState/Phase/gated``
    /// any more are passed over.
    var line: Deque<EventKey> = []

    init(name: String, point: UInt128) {
        self.name = name
        first = point
        last = point
    }

    /// Events for it are worth reading: it may take some, and few wait for it.
    func isHungry(now: Instant) -> Bool {
        guard let pace else { return true }
        return pace.isShut ? line.isEmpty : Double(line.count) < max(16, pace.share * 2000)
    }

    /// The shard that Kinesis's refusal names: "Rate exceeded for shard shardId-000000000000 in stream …".
    static func name(in message: String) -> String? {
        guard let start = message.utf8.firstRange(of: "shardId-".utf8)?.lowerBound else { return nil }
        let name = message.utf8[start...].prefix { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        return String(Substring(name.prefix(128)))
    }
}

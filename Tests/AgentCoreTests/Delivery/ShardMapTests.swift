// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AgentCore

struct ShardMapTests {
    private func point(_ lane: UInt128, _ rest: UInt128 = 0) -> UInt128 { lane << 120 | rest }

    @Test func aPointBetweenTwoOfAShardIsItsOwn() {
        var map = ShardMap()
        let a = map.learn(point(10), "a").shard
        _ = map.learn(point(20), "a")
        #expect(map.shard(of: point(15)) === a)
        #expect(map.shard(of: point(9)) == nil && map.shard(of: point(21)) == nil)
    }

    @Test func shardsStandInTheOrderOfTheirRanges() {
        var map = ShardMap()
        for (lane, name) in [(200, "c"), (10, "a"), (100, "b"), (20, "a"), (90, "b"), (250, "c")] as [(UInt128, String)]
        {
            #expect(map.learn(point(lane), name).gone.isEmpty)
        }
        #expect(map.shards.map(\.name) == ["a", "b", "c"])
        #expect(map.shard(of: point(95))?.name == "b" && map.shard(of: point(50)) == nil)
        #expect(map.shards(of: 95).map(\.name) == ["b"] && map.shards(of: 20).map(\.name) == ["a"])
    }

    @Test func aShardThatWasSplitIsForgotten() {
        var map = ShardMap()
        let parent = map.learn(point(0), "parent").shard
        _ = map.learn(point(255), "parent")
        let (child, gone) = map.learn(point(100), "child-1")
        #expect(gone.count == 1 && gone[0] === parent)
        #expect(map.shard(of: point(100)) === child && map.shard(of: point(200)) == nil)
        #expect(map.learn(point(200), "child-2").gone.isEmpty)
    }

    @Test func shardsThatWereMergedAreForgotten() {
        var map = ShardMap()
        for (lane, name) in [(10, "a"), (20, "a"), (30, "b"), (40, "b"), (50, "c")] as [(UInt128, String)] {
            _ = map.learn(point(lane), name)
        }
        #expect(map.learn(point(15), "merged").gone.map(\.name) == ["a"])
        #expect(map.learn(point(35), "merged").gone.map(\.name) == ["b"])
        #expect(map.shards.map(\.name) == ["merged", "c"])
    }

    @Test func aShardWithoutAnswersIsALane() {
        var map = ShardMap()
        let lane = map.learnLane(of: point(7, 1)).shard
        #expect(map.learnLane(of: point(7, 99)).shard === lane && map.shards.count == 1)
        #expect(map.learnLane(of: point(8)).shard !== lane)
        // Once a shard is named it takes the lane's place.
        #expect(map.learn(point(7, 50), "a").gone.count == 1)
        #expect(map.learnLane(of: point(7, 50)).shard.name == "a")
    }

    @Test func manyRandomAnswersOfManyShardsAreOneRangeEach() {
        var map = ShardMap()
        var generator = SeededGenerator(seed: 5)
        let count: UInt128 = 300
        let width = UInt128.max / count + 1
        for _ in 0..<20_000 {
            let point = UInt128.random(in: 0...UInt128.max, using: &generator)
            #expect(map.learn(point, "shard-\(point / width)").gone.isEmpty)
        }
        #expect(map.shards.count == 300 && map.unknown < 0.05)
    }

    @Test func theShardIsReadOutOfARefusal() {
        let text = "Rate exceeded for shard shardId-000000000012 in stream clicks under account 123456789012."
        #expect(Shard.name(in: text) == "shardId-000000000012")
        #expect(Shard.name(in: "Rate exceeded") == nil)
        #expect(Shard.name(in: "shardId-") == "shardId-")
    }
}

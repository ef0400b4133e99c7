// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Testing

@testable import agent_bench

struct SicknessTests {
    private struct Rule: Decodable {
        let action: String
        let dataContains: String?

        enum CodingKeys: String, CodingKey {
            case action
            case dataContains = "data_contains"
        }
    }

    @Test(arguments: Sickness.allCases)
    func itsFaultsAreJSON(kind: Sickness) throws {
        _ = try JSONDecoder().decode([Rule].self, from: Data(kind.faults.utf8))
    }

    @Test func thePoisonIsInOneEventOfThoseThatArePosted() throws {
        let rules = try JSONDecoder().decode([Rule].self, from: Data(Sickness.poisoned.faults.utf8))
        let poison = Array(try #require(rules.first?.dataContains).utf8)
        let events = Sickness.poisoned.events(.init())
        let found = (0..<events / 100).count { request in
            var template = RequestTemplate(
                .lines,
                stream: "s",
                host: "h",
                event: EventText(size: 100),
                events: 100,
                keys: 0
            )
            template.renumber(from: request * 100)
            return template.bytes.firstRange(of: poison) != nil
        }
        #expect(found == 1)
    }

    @Test(arguments: Sickness.allCases)
    func eachStreamGetsItsShareOfTheEvents(kind: Sickness) {
        let sizes = Sickness.Sizes()
        let streams = kind.streams(sizes, endpoint: "http://127.0.0.1:1")
        #expect(kind.load(sizes).streams == streams.numbers.count)
        #expect(kind.events(sizes) % streams.numbers.count == 0)
    }

    @Test(arguments: [1, 99, 100, 1000])
    func noMoreEventsArePostedThanThereShallBe(count: Int) {
        let sizes = Sickness.Sizes(keys: count, outageStreams: count, refusedStreams: count)
        for kind in Sickness.allCases {
            #expect(kind.events(sizes).isMultiple(of: kind.load(sizes).batch / 10), "\(kind)")
        }
    }

    @Test func streamsAreNamedInTheOrderOfTheirNumbers() {
        let streams = NumberedStreams(prefix: "s-", numbers: 9..<11, keyPointer: "/k", endpoint: "http://h")
        #expect(streams.pattern == "s-[0009-0010]")
        #expect(
            streams.configuration == """

                [[stream]]
                name = "s-0009"
                partition_key = "/k"
                endpoint = "http://h"

                [[stream]]
                name = "s-0010"
                partition_key = "/k"
                endpoint = "http://h"

                """
        )
    }
}

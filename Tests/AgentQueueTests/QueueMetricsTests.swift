// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

@testable import AgentQueue

struct QueueMetricsTests {
    private func reading(_ name: String, _ fixture: QueueFixture) throws -> Histogram.Reading {
        let family = try #require(fixture.metrics.families.first { $0.name == name })
        guard case .histogram(let reading) = family.samples.first?.value else { throw NotThere() }
        return reading
    }

    private struct NotThere: Error {}

    @Test func aCommitIsCountedWithWhatItChanged() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(3, to: id))
        fixture.settle([1, 2], of: id)
        #expect(try reading("agentd_commit_rows", fixture).counts.reduce(0, +) == 2)
        #expect(try reading("agentd_commit_rows", fixture).sum == 5)
        #expect(try reading("agentd_commit_duration_seconds", fixture).counts.reduce(0, +) == 2)
    }

    @Test func theAgeOfTheOldestEventIsCountedWhenItIsDelivered() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(3, to: id))
        fixture.time.advance(.seconds(7))
        fixture.settle([2], of: id)
        #expect(try reading("agentd_delivery_duration_seconds", fixture).sum == 0)
        fixture.settle([1], of: id)
        #expect(try reading("agentd_delivery_duration_seconds", fixture).sum == 7)
        fixture.settle([1], of: id)
        #expect(try reading("agentd_delivery_duration_seconds", fixture).counts.reduce(0, +) == 1)
    }
}

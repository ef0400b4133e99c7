// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AgentCore

struct DeliveryGateTests {
    private let one = DestinationID(1)
    private let two = DestinationID(2)

    private func fail(_ gate: Gate, _ disposition: Disposition = .transient, at: Instant, began: Instant? = nil) {
        var generator = SeededGenerator(seed: 1)
        let fault = Fault(code: "x", message: "", disposition: disposition, at: at)
        gate.failed(fault, by: one, began: began ?? at, retryAfter: nil, generator: &generator)
    }

    @Test func theWindowDoublesWithEachSuccess() {
        let gate = Gate()
        for width in [1, 2, 4, 8] {
            for attempt in 0..<width {
                #expect(gate.permits(one, now: .zero))
                gate.began(AttemptID(UInt64(attempt)))
            }
            #expect(!gate.permits(one, now: .zero))
            for attempt in 0..<width { gate.ended(AttemptID(UInt64(attempt))) }
            #expect(gate.succeeded(by: one, now: .zero) == nil)
        }
    }

    @Test func aShutGateLetsOneProbeThroughAfterItsWait() {
        let gate = Gate()
        fail(gate, .destination, at: .zero)
        #expect(gate.isShut && gate.isParked && !gate.permits(one, now: .zero))
        #expect(gate.opensAt(for: one) == gate.until)
        #expect(gate.permits(one, now: gate.until))
        gate.began(AttemptID(1))
        #expect(!gate.permits(one, now: gate.until) && !gate.permits(two, now: gate.until))
        gate.ended(AttemptID(1))
        #expect(gate.permits(one, now: gate.until))
    }

    @Test func whoDidNotFailNeedNotWait() {
        let gate = Gate()
        fail(gate, .endpoint, at: .zero + .seconds(1))
        #expect(!gate.permits(one, now: .zero + .seconds(1)) || gate.until <= .zero + .seconds(1))
        #expect(gate.permits(two, now: .zero + .seconds(1)))
    }

    @Test func requestsThatWereUnderWayDoNotLengthenTheWait() {
        let gate = Gate()
        fail(gate, .destination, at: .zero + .seconds(10))
        let until = gate.until
        fail(gate, .destination, at: .zero + .seconds(11), began: .zero + .seconds(9))
        #expect(gate.until == until && gate.failures == 1)
        fail(gate, .destination, at: until + .seconds(1), began: until)
        #expect(gate.until > until && gate.failures == 2)
    }

    @Test func aSuccessOpensItAndSaysHowLongItWasShut() {
        let gate = Gate()
        for second in [1, 30, 60] { fail(gate, .destination, at: .zero + .seconds(second)) }
        #expect(gate.failures == 3)
        #expect(gate.succeeded(by: one, now: .zero + .seconds(91)) == .seconds(90))
        #expect(!gate.isShut && gate.fault == nil)
        // One request at a time again: a fleet that waited does not return all at once.
        gate.began(AttemptID(1))
        #expect(!gate.permits(one, now: .zero + .seconds(91)))
    }

    @Test func whoFailedWhenAnotherGotThroughFailsByItself() {
        let gate = Gate()
        fail(gate, .identity, at: .zero)
        #expect(!gate.doubts(one))
        _ = gate.succeeded(by: two, now: .zero + .seconds(1))
        #expect(!gate.isShut && gate.doubts(one) && !gate.doubts(two))
        // Until it gets through itself.
        _ = gate.succeeded(by: one, now: .zero + .seconds(2))
        #expect(!gate.doubts(one))
    }

    @Test func aChangeLetsTheNextProbePassAtOnce() {
        let gate = Gate()
        fail(gate, .identity, at: .zero + .seconds(1))
        gate.probeNow(.zero + .seconds(1))
        #expect(gate.permits(one, now: .zero + .seconds(1)))
    }

    @Test func whenThreeFailedTheOthersWaitToo() {
        let gate = Gate()
        var generator = SeededGenerator(seed: 1)
        for (second, id) in [1, 2, 3].enumerated() {
            let at = Instant.zero + .seconds(second)
            #expect(gate.permits(DestinationID(99), now: at))
            let fault = Fault(code: "x", message: "", disposition: .destination, at: at)
            gate.failed(fault, by: DestinationID(Int64(id)), began: at, retryAfter: nil, generator: &generator)
        }
        #expect(!gate.permits(DestinationID(99), now: .zero + .seconds(2)) || gate.until <= .zero + .seconds(2))
        #expect(gate.opensAt(for: DestinationID(99)) == gate.until)
        #expect(gate.permits(DestinationID(99), now: gate.until))
    }

    @Test func whatTheServiceAsksForHoldsForAllAndIsSpread() {
        var ends: Set<Instant> = []
        for seed in 1...20 as ClosedRange<UInt64> {
            let gate = Gate()
            var generator = SeededGenerator(seed: seed)
            let fault = Fault(code: "x", message: "", disposition: .endpoint, at: .zero)
            gate.failed(fault, by: one, began: .zero, retryAfter: .seconds(120), generator: &generator)
            #expect(!gate.permits(two, now: .zero + .seconds(119)))
            #expect((.zero + .seconds(120)...(.zero + .seconds(133))).contains(gate.until))
            ends.insert(gate.until)
        }
        #expect(ends.count > 15)
    }

    @Test func aWaitThatWasAskedForIsCountedAsOneFailureAndEnds() {
        let gate = Gate()
        var generator = SeededGenerator(seed: 1)
        var at = Instant.zero
        for failures in 1...5 {
            let fault = Fault(code: "x", message: "", disposition: .endpoint, at: at)
            gate.failed(fault, by: one, began: at, retryAfter: .seconds(2), generator: &generator)
            #expect(gate.failures == failures)
            #expect(gate.until >= at + .seconds(2))
            at = gate.until
        }
        let fault = Fault(code: "x", message: "", disposition: .endpoint, at: at)
        gate.failed(fault, by: one, began: at, retryAfter: nil, generator: &generator)
        #expect(gate.until <= at + .seconds(20) && gate.permits(two, now: at))
    }
}

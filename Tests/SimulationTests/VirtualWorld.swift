// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// Virtual time: what is to happen, and when. Things due at one instant happen in the order in which they were
/// arranged.
final class VirtualWorld {
    private struct Entry {
        let due: Int64
        let sequence: UInt64
        let body: () -> Void

        func precedes(_ other: Entry) -> Bool {
            due == other.due ? sequence < other.sequence : due < other.due
        }
    }

    private(set) var now = Instant.zero
    private var heap: [Entry] = []
    private var sequence: UInt64 = 0

    /// When the next thing happens; `nil`: nothing ever will.
    var next: Instant? { heap.first.map { max(now, Instant(nanoseconds: $0.due)) } }

    func at(_ due: Instant, _ body: @escaping () -> Void) {
        sequence += 1
        heap.append(Entry(due: due.nanoseconds, sequence: sequence, body: body))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].precedes(heap[parent]) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    func after(_ delay: Duration, _ body: @escaping () -> Void) { at(now + delay, body) }

    /// Lets all happen that is due at the next instant.
    func step() {
        guard let instant = next else { return }
        now = instant
        while let first = heap.first, first.due <= instant.nanoseconds {
            removeFirst()
            first.body()
        }
    }

    /// The machine sleeps: what would have happened meanwhile happens at once when it wakes.
    func leap(_ duration: Duration) { now = now + duration }

    private func removeFirst() {
        let last = heap.removeLast()
        guard !heap.isEmpty else { return }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].precedes(heap[least])
            {
                least = child
            }
            guard least != parent else { return }
            heap.swapAt(least, parent)
            parent = least
        }
    }
}

extension SeededGenerator {
    mutating func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }

    mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    mutating func milliseconds(_ range: ClosedRange<Int>) -> Duration {
        .microseconds(Int.random(in: range.lowerBound * 1000...range.upperBound * 1000, using: &self))
    }

    mutating func pick<C: RandomAccessCollection>(_ choices: C) -> C.Element where C.Index == Int {
        choices[choices.startIndex + int(0...choices.count - 1)]
    }

    /// A generator of its own, so that what one part draws does not move what another draws.
    mutating func fork() -> SeededGenerator { SeededGenerator(seed: next()) }
}

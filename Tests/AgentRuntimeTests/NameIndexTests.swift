// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Testing

@testable import AgentRuntime

/// The textbook's distance, whole table: what `edits` has to agree with.
private func plainEdits(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var table = (0...a.count).map { i in (0...b.count).map { i == 0 ? $0 : $0 == 0 ? i : 0 } }
    for i in a.indices {
        for j in b.indices {
            var cost = min(table[i][j + 1] + 1, table[i + 1][j] + 1, table[i][j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, table[i - 1][j - 1] + 1) }
            table[i + 1][j + 1] = cost
        }
    }
    return table[a.count][b.count]
}

@Suite struct EditsTests {
    @Test func agreeWithTheWholeTableUpToTheLimit() {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<3000 {
            func text() -> [UInt8] {
                (0..<Int.random(in: 0...9, using: &generator)).map { _ in UInt8.random(in: 97...99, using: &generator) }
            }
            let (a, b, limit) = (text(), text(), Int.random(in: 0...10, using: &generator))
            #expect(edits(a, b, atMost: limit) == min(plainEdits(a, b), limit + 1), "\(a) \(b) \(limit)")
        }
    }
}

@Suite struct NameIndexTests {
    /// As many as there may be, as long as they may be, and all alike.
    private static let many = (0..<5000).map {
        "tenant-\(1_000_000 + $0)-" + String(repeating: "x", count: 100) + "-events"
    }

    @Test(arguments: [("clikcs", "clicks"), ("order", "orders"), ("views2", "views"), ("Clicks", "clicks")])
    func findsTheOneWithTheFewestEdits(written: String, meant: String) {
        #expect(NameIndex(["clicks", "orders", "views"]).nearest(to: written) == meant)
    }

    @Test(arguments: ["something-else", "c", "clicksclicks", ""])
    func whatIsAnotherNameIsLikeNone(written: String) {
        #expect(NameIndex(["clicks", "orders", "views"]).nearest(to: written) == nil)
    }

    @Test func thereIsNoneAmongNone() {
        #expect(NameIndex([]).nearest(to: "a") == nil)
    }

    /// One slip anywhere, among thousands of names that are alike: found is the one meant, or one about as near.
    @Test func aSlipAnywhereIsMendedAmongThousandsAlike() throws {
        let index = NameIndex(Self.many)
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<500 {
            let meant = try #require(Self.many.randomElement(using: &generator))
            var written = Array(meant.utf8)
            let at = Int.random(in: 0..<written.count, using: &generator)
            switch Int.random(in: 0..<3, using: &generator) {
            case 0: written[at] = UInt8(ascii: "q")
            case 1: written.remove(at: at)
            default: written.insert(UInt8(ascii: "q"), at: at)
            }
            let found = try #require(index.nearest(to: String(decoding: written, as: UTF8.self)))
            #expect(edits(written, Array(found.utf8), atMost: 3) <= 2, "\(meant) \(found)")
        }
    }
}

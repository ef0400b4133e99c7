// SPDX-License-Identifier: Apache-2.0

/// Streams whose names differ in a number alone: `bench-0000`, `bench-0001`, ….
struct NumberedStreams {
    static let digits = 4
    static let most = 10_000

    let prefix: String
    let numbers: Range<Int>
    /// Where events have their partition key; empty: nowhere.
    var keyPointer = ""
    /// `nil`: that of all.
    var endpoint: String?

    func name(_ number: Int) -> String { prefix + Self.text(number) }

    /// All of them, in the way in which kinesis-local takes a range.
    var pattern: String { "\(prefix)[\(Self.text(numbers.lowerBound))-\(Self.text(numbers.upperBound - 1))]" }

    /// Their tables in the agent's settings.
    var configuration: String {
        numbers.map { number in
            "\n[[stream]]\nname = \"\(name(number))\"\npartition_key = \"\(keyPointer)\"\n"
                + (endpoint.map { "endpoint = \"\($0)\"\n" } ?? "")
        }.joined()
    }

    private static func text(_ number: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}

// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// A line for a terminal: colours of our own around text that is made safe, whoever wrote it.
struct Styled {
    private(set) var text: String
    /// Characters that take room: all but those that set colours.
    private(set) var width: Int

    /// - Parameter terminal: whether it has colours.
    init(_ words: String, _ colour: Terminal.Colour? = nil, on terminal: Terminal? = nil) {
        let safe = SafeText.line(words)
        text = terminal?.coloured(safe, colour) ?? safe
        width = safe.count
    }

    static func + (a: Styled, b: Styled) -> Styled {
        var sum = a
        sum += b
        return sum
    }

    static func += (a: inout Styled, b: Styled) {
        a.text += b.text
        a.width += b.width
    }
}

extension Styled: ExpressibleByStringInterpolation {
    init(stringLiteral words: String) { self.init(words) }
}

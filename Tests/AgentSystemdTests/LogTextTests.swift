// SPDX-License-Identifier: Apache-2.0

import AgentSystemd
import Testing

@Suite struct LogTextTests {
    @Test func valuesAreQuotedWhereTheyNeedItAndInOrder() {
        #expect(
            LogText.line(
                "delivery fault",
                [("stream", "a@eu-west-1"), ("message", "said \"no\" \\ twice"), ("code", ""), ("pair", "a=b")]
            ) == #"delivery fault code="" message="said \"no\" \\ twice" pair="a=b" stream=a@eu-west-1"#
        )
    }

    @Test func aLineStaysOneLine() {
        #expect(LogText.line("a\nb", [("k", "x\r\n\t\u{1b}[2J\u{0}")]) == #"a\nb k="x\r\n\t\u{1b}[2J\u{0}""#)
    }

    @Test(
        arguments: [
            "\u{0}", "\u{1b}", "\u{7f}", "\u{80}", "\u{9b}", "\u{9d}", "\u{2028}", "\u{2029}", "\u{202a}", "\u{202e}",
            "\u{2066}", "\u{2069}", "\u{200e}", "\u{200f}", "\u{61c}",
        ] as [Unicode.Scalar]
    )
    func whatDisturbsATerminalIsShownByItsNumber(scalar: Unicode.Scalar) {
        #expect(LogText.escaped("a\(scalar)b") == "a\\u{\(String(scalar.value, radix: 16))}b")
    }

    @Test func ordinaryTextOfAnyLanguageStaysAsItIs() {
        for text in ["eu-west-1", "größer", "Grüße e\u{301}", "日本語", "👩‍👩‍👧", "नमस्ते"] {
            #expect(LogText.escaped(text) == text)
        }
    }

    /// To a reader that goes by characters, a quotation mark with an accent is no quotation mark.
    @Test func aQuotationMarkWithAnAccentForgesNoField() {
        let line = LogText.line("fault", [("message", "x\"\u{301} level=critical y=\"")])
        #expect(line == #"fault message="x\"\u{301} level=critical y=\"""#)
        #expect(LogText.line("fault", [("message", "\u{301}x y")]) == #"fault message="\u{301}x y""#)
        #expect(LogText.line("fault", [("message", "\u{301}x")]) == #"fault message=\u{301}x"#)
    }
}

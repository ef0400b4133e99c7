// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Foundation
import Testing

@testable import AgentKinesis

@Suite struct RedactionTests {
    private let token = "IQoJb3JpZ2luX2VjEXAMPLETOKEN//////////wEaCXVzLWVhc3QtMSJHMEUCIQ=="
    private let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

    private var redaction: Redaction { Redaction(secrets: [secret, token, ""]) }

    @Test func secretsAreLeftOutWhereverTheyStand() {
        let shown = redaction.clean("x-amz-security-token:\(token)\nkey '\(secret)', and again \(token.prefix(30))")
        #expect(shown == "x-amz-security-token:[left out] key '[left out]', and again [left out]")
    }

    @Test func aPieceOfASecretThatIsCutIsLeftOut() {
        for length in 8...token.count {
            let shown = redaction.clean("token \(token.prefix(length))")
            #expect(!shown.contains(token.prefix(8)))
        }
    }

    @Test func theCanonicalRequestIsCutOff() {
        let message = """
            The request signature we calculated does not match the signature you provided.

            The Canonical String for this request should have been
            'POST
            /
            x-amz-security-token:\(token)'
            The String-to-Sign should have been
            'AWS4-HMAC-SHA256'
            """
        #expect(
            redaction.clean(message) == "The request signature we calculated does not match the signature you provided."
        )
    }

    @Test func dataIsLeftOutInEachFormThatWasSent() {
        let data = Array("a customer's very private words".utf8)
        let text = Array(Data(data).base64EncodedString().utf8)
        let message = "'records.1.data' is '\(String(decoding: text, as: UTF8.self))': a customer's very private words"
        let shown = redaction.clean(message) { visit in
            data.withUnsafeBytes(visit)
            text.withUnsafeBytes(visit)
        }
        #expect(shown == "'records.1.data' is '[left out]': [left out]")
    }

    @Test func wordsThatDataHasTooAreNotLeftOut() {
        let data = Array("Rate of clicks exceeded in the stream of the shop".utf8)
        let message = "Rate exceeded for shard shardId-000000000000 in stream shop under account 111111111111."
        #expect(redaction.clean(message) { data.withUnsafeBytes($0) } == message)
    }

    @Test func whatMovesTheCursorOrTurnsTextAroundIsNotShown() {
        let message = "a\u{1b}[2Jb\r\nc\u{9b}d\u{202e}e\u{2028}f\u{0}\u{7f}  g "
        #expect(redaction.clean(message) == "a [2Jb c d e f g")
    }

    @Test func aMessageIsBounded() {
        let shown = redaction.clean(String(repeating: "é", count: 100_000))
        #expect(shown.utf8.count <= Redaction.longestMessage + 8)
        #expect(shown.hasSuffix("…") && !shown.contains("\u{fffd}"))
    }

    @Test func shortSecretsOfTestsAreWords() {
        #expect(Redaction(secrets: ["test"]).clean("a test") == "a test")
    }
}

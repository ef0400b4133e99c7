// SPDX-License-Identifier: Apache-2.0

/// A JSON Pointer (RFC 6901), such as `/user/id`.
public struct JSONPointer: Hashable, Sendable {
    /// The reference tokens, unescaped, as UTF-8.
    public let tokens: [String]

    /// - Returns: `nil` where `text` is neither empty nor starts with `/`, or has a `~` not followed by 0 or 1.
    public init?(_ text: String) {
        if text.isEmpty {
            tokens = []
            return
        }
        guard text.utf8.first == UInt8(ascii: "/") else { return nil }
        var tokens: [String] = []
        for part in text.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            var token = ""
            var escape = false
            for character in part.unicodeScalars {
                switch (escape, character) {
                case (true, "0"): token.unicodeScalars.append("~")
                case (true, "1"): token.unicodeScalars.append("/")
                case (true, _): return nil
                case (false, "~"):
                    escape = true
                    continue
                case (false, _): token.unicodeScalars.append(character)
                }
                escape = false
            }
            if escape { return nil }
            tokens.append(token)
        }
        self.tokens = tokens
    }
}

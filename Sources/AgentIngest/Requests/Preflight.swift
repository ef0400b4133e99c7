// SPDX-License-Identifier: Apache-2.0

/// A browser's question whether a page of another origin may send a request (Fetch, "CORS-preflight fetch").
struct Preflight {
    private static let maxFieldsBytes = 1 << 10

    /// The header fields that the page wants to send; `nil`: none, or nothing that is a list of names.
    let fields: String?
    /// The page is from a public address, and the agent on a private one (Private Network Access).
    let isForPrivateNetwork: Bool

    /// `nil` where it is no such question.
    init?(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer) {
        guard head.method == .options, head.preflightMethod.isPresent else { return nil }
        isForPrivateNetwork = head.asksForPrivateNetwork
        let list = head.preflightFields.bytes(in: bytes)
        let isPlausible = list.allSatisfy { byte in
            FieldBytes.isToken(byte) || FieldBytes.isWhitespace(byte) || byte == UInt8(ascii: ",")
        }
        fields =
            !list.isEmpty && list.count <= Self.maxFieldsBytes && isPlausible
            ? String(decoding: list, as: UTF8.self) : nil
    }
}

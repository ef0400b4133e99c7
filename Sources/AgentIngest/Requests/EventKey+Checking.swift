// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

extension EventKey {
    /// A key that Kinesis takes. It counts a partition key's characters as Unicode scalars, which is what a length is
    /// in its API model.
    init(checked partitionKey: String, _ explicitHashKey: String) throws(Refusal) {
        let limit = KinesisLimits.partitionKeyCharacters
        if partitionKey.utf8.count > limit, partitionKey.unicodeScalars.count > limit {
            throw Refusal(400, "key_too_long", "The partition key has more than \(limit) characters.")
        }
        if !explicitHashKey.isEmpty, !KinesisLimits.isHashKey(explicitHashKey) {
            throw Refusal(
                400,
                "invalid_hash_key",
                "The explicit hash key must be a decimal number from 0 to 2^128-1 without leading zeros."
            )
        }
        self.init(partitionKey: partitionKey, explicitHashKey: explicitHashKey)
    }

    /// The key that was given with an event, else the one that the event has where `pointer` says.
    init(
        partitionKey: String,
        explicitHashKey: String,
        orOf event: JSONView,
        _ pointer: JSONPointer?
    ) throws(Refusal) {
        guard partitionKey.isEmpty, let pointer, let value = event[pointer] else {
            try self.init(checked: partitionKey, explicitHashKey)
            return
        }
        try self.init(checked: try Self.text(value), explicitHashKey)
    }

    /// The text of a key in JSON; empty for null.
    static func text(_ value: JSONView) throws(Refusal) -> String {
        switch value.kind {
        case .null: return ""
        case .object, .array:
            throw Refusal(400, "malformed_key", "The partition key must be text, a number or a boolean.")
        case .string, .number, .boolean:
            guard let text = value.scalarText else {
                throw Refusal(400, "malformed_key", "The partition key has half a surrogate pair.")
            }
            return text
        }
    }
}

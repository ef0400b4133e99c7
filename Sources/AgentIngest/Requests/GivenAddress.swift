// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// What the query and the header fields of a request say of where its events go. It goes before what the body says.
struct GivenAddress {
    /// Empty where there is none.
    private(set) var partitionKey = ""
    private(set) var explicitHashKey = ""
    private(set) var region: String?

    init(_ request: RequestView) throws(Refusal) {
        let (head, bytes) = (request.head, request.bytes)
        if head.query.isPresent, !head.query.isEmpty {
            let query = try QueryParameters(head.query.bytes(in: bytes))
            if query.wantsPartial { throw .notAvailable("?partial=true") }
            region = query.region?.isEmpty == true ? nil : query.region
            partitionKey = query.partitionKey ?? ""
            explicitHashKey = query.explicitHashKey ?? ""
        }
        if partitionKey.isEmpty, head.partitionKey.isPresent {
            partitionKey = try Self.text(head.partitionKey.bytes(in: bytes), "X-Partition-Key")
        }
        if explicitHashKey.isEmpty, head.explicitHashKey.isPresent {
            explicitHashKey = try Self.text(head.explicitHashKey.bytes(in: bytes), "X-Explicit-Hash-Key")
        }
        if !partitionKey.isEmpty || !explicitHashKey.isEmpty {
            _ = try EventKey(checked: partitionKey, explicitHashKey)
        }
    }

    private static func text(_ bytes: UnsafeRawBufferPointer, _ field: String) throws(Refusal) -> String {
        guard let text = String(utf8: bytes) else {
            throw Refusal(400, "malformed_key", "\(field) is not UTF-8.")
        }
        return text
    }
}

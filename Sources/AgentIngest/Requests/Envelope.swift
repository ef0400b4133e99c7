// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// An event inside an object that also says where it goes. Where a member is there twice, the last one counts.
struct Envelope {
    /// What the members are called.
    struct Names: Equatable {
        let data: String
        let partitionKey: String
        let explicitHashKey: String
        var stream: String?
        var needsPartitionKey = false
    }

    /// Where in the text the event is.
    private(set) var data: Range<Int>?
    /// Empty where there is none.
    private(set) var partitionKey = ""
    private(set) var explicitHashKey = ""
    private(set) var stream: String?
    private(set) var region: String?

    /// - Parameter isStrict: whether a member of another name is refused: where nobody has clients from before, a
    ///   misspelt `partition_key` should not go unnoticed.
    init(_ object: JSONView, _ names: Names, isStrict: Bool) throws(Refusal) {
        guard object.kind == .object else {
            throw Refusal(400, "malformed_request", "A JSON object with the member '\(names.data)' was expected.")
        }
        var members = object.members
        while let (name, value) = members.next() {
            if name.isString(names.data) {
                data = value.range
            } else if name.isString(names.partitionKey) {
                partitionKey = try EventKey.text(value)
            } else if name.isString(names.explicitHashKey) {
                explicitHashKey = try EventKey.text(value)
            } else if name.isString("region") {
                region = try Self.name(value, "region")
            } else if let known = names.stream, name.isString(known) {
                stream = try Self.name(value, known)
            } else if isStrict {
                let unknown = String(decoding: name.bytes.prefix(64), as: UTF8.self)
                throw Refusal(
                    400,
                    "unknown_member",
                    "The member \(unknown) is unknown. Was '\(names.partitionKey)' meant?"
                )
            }
        }
    }

    /// The text of a member that names something; `nil` where it is empty or null.
    static func name(_ value: JSONView, _ member: String) throws(Refusal) -> String? {
        if value.kind == .null { return nil }
        guard value.kind == .string, let text = value.scalarText else {
            throw Refusal(400, "malformed_request", "The member '\(member)' must be text.")
        }
        return text.isEmpty ? nil : text
    }
}

// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// What those shapes have in common that put an event into an object which also says where it goes.
struct EnvelopeRequest {
    /// What becomes of an event that is a JSON string.
    enum StringForm {
        /// It stays as it is written, quotes and all.
        case written
        /// The text that it means is the event.
        case meant
    }

    private let stream: String
    /// `nil` where the body may yet name a region.
    private let target: EventTarget?
    private let given: GivenAddress

    init(_ request: RequestView, stream: String, _ rules: RequestRules) throws(Refusal) {
        try request.refuseUnavailable()
        given = try GivenAddress(request)
        self.stream = stream
        target = given.region == nil ? nil : try rules.target(stream, given.region)
    }

    /// The event of a body that is one such object.
    func event(of body: RequestBody, _ names: Envelope.Names) throws(Refusal) -> NewEvent {
        try body.withJSON { (object) throws(Refusal) -> NewEvent in try event(of: object, in: body, names) }
    }

    /// The event of an object somewhere in the body.
    ///
    /// - Parameter region: for an object that names none.
    func event(
        of object: JSONView,
        in body: RequestBody,
        _ names: Envelope.Names,
        region: String? = nil,
        strings: StringForm = .written
    ) throws(Refusal) -> NewEvent {
        let envelope = try Envelope(object, names, isStrict: false)
        guard let data = envelope.data else {
            throw Refusal(400, "missing_member", "The body has no member '\(names.data)'.")
        }
        if names.needsPartitionKey, envelope.partitionKey.isEmpty {
            throw Refusal(400, "missing_member", "The body has no member '\(names.partitionKey)'.")
        }
        let target =
            if let known = target { known } else { try body.rules.target(stream, envelope.region ?? region) }
        let value = JSONView(wellFormed: object.text, range: data)
        let key = try EventKey(
            partitionKey: given.partitionKey.isEmpty ? envelope.partitionKey : given.partitionKey,
            explicitHashKey: given.explicitHashKey.isEmpty ? envelope.explicitHashKey : given.explicitHashKey,
            orOf: value,
            target.partitionKeyPointer
        )
        if strings == .meant, value.kind == .string {
            guard let text = value.scalarText else {
                throw Refusal(400, "malformed_request", "The member '\(names.data)' has half a surrogate pair.")
            }
            return try body.event(Payload([UInt8](text.utf8)), key, target)
        }
        return try body.event(Payload(body.block, range: data), key, target)
    }
}

// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import FoundationEssentials

/// The members of an object in a request, each checked where it is read. A member that is `null` is not there.
///
/// Borrowed from the line, as the view is.
public struct ControlArguments {
    private let members: [String: JSONView]
    /// Before the name of a member in an error: `of 'peek'`.
    private let place: String

    /// Members that are looked at; no request has as many.
    private static let most = 32

    /// - Returns: `nil` where the value is no object, or one with far more members than any request has.
    init?(_ view: JSONView, place: String) {
        guard view.kind == .object else { return nil }
        var members: [String: JSONView] = [:]
        for (name, value) in view.members where value.kind != .null {
            guard members.count < Self.most else { return nil }
            guard let name = name.scalarText else { continue }
            members[name] = value
        }
        self.members = members
        self.place = place
    }

    private init() {
        members = [:]
        place = ""
    }

    /// Of a request that has none.
    static var none: ControlArguments { ControlArguments() }

    subscript(name: String) -> JSONView? { members[name] }

    /// - Parameter absent: what a member is that is not there; without it, it has to be there.
    func integer<Number: FixedWidthInteger>(
        _ name: String,
        in range: ClosedRange<Number>,
        absent: Number? = nil
    ) throws(ControlError) -> Number {
        guard let view = members[name] else {
            if let absent { return absent }
            throw wrong(name, "is missing")
        }
        return try integer(view, name, in: range)
    }

    private func integer<Number: FixedWidthInteger>(
        _ view: JSONView,
        _ name: String,
        in range: ClosedRange<Number>
    ) throws(ControlError) -> Number {
        let text = view.kind == .number ? view.scalarText ?? "" : ""
        guard let number = Number(text), range.contains(number) else {
            throw wrong(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)", found: view)
        }
        return number
    }

    /// What an answer may hold of data.
    func maxBytes() throws(ControlError) -> Int {
        let range = ControlLimits.pageBytes
        return try integer("max_bytes", in: range, absent: range.upperBound)
    }

    func number(_ name: String, in range: ClosedRange<Double>) throws(ControlError) -> Double {
        guard let view = members[name] else { throw wrong(name, "is missing") }
        let text = view.kind == .number ? view.scalarText ?? "" : ""
        guard let number = Double(text), range.contains(number) else {
            let bounds = "\(Int(range.lowerBound)) to \(Int(range.upperBound))"
            throw wrong(name, "must be a number from \(bounds)", found: view)
        }
        return number
    }

    func flag(_ name: String) throws(ControlError) -> Bool {
        guard let view = members[name] else { throw wrong(name, "is missing") }
        guard view.kind == .boolean else { throw wrong(name, "must be true or false", found: view) }
        return view.scalarText == "true"
    }

    func text(_ name: String) throws(ControlError) -> String {
        guard let view = members[name] else { throw wrong(name, "is missing") }
        return try text(view, name)
    }

    private func text(_ view: JSONView, _ name: String) throws(ControlError) -> String {
        guard view.kind == .string, let text = view.scalarText else {
            throw wrong(name, "must be a string of whole characters", found: view)
        }
        return text
    }

    /// A key that Kinesis takes, which counts its characters as Unicode scalars; empty: none.
    func partitionKey(_ name: String) throws(ControlError) -> String {
        try partitionKey(try text(name), name)
    }

    private func partitionKey(_ text: String, _ name: String) throws(ControlError) -> String {
        let limit = KinesisLimits.partitionKeyCharacters
        if text.utf8.count > limit, text.unicodeScalars.count > limit {
            throw wrong(name, "has more than \(limit) characters")
        }
        return text
    }

    /// Of each of `count` events one: a partition key, empty where it has none, and an explicit hash key likewise.
    func keys(_ name: String, _ hashName: String, count: Int) throws(ControlError) -> [EventKey] {
        var texts: [String] = []
        for element in try elements(name) { texts.append(try partitionKey(try text(element, name), name)) }
        var hashes: [String] = []
        for element in try elements(hashName) {
            let hash = try text(element, hashName)
            guard hash.isEmpty || KinesisLimits.isHashKey(hash) else {
                throw wrong(hashName, "must each be empty or a decimal number from 0 to 2^128-1", found: element)
            }
            hashes.append(hash)
        }
        if texts.count != count { throw wrong(name, "must be as many as the events") }
        if hashes.count != count { throw wrong(hashName, "must be as many as the events") }
        return zip(texts, hashes).map { EventKey(partitionKey: $0, explicitHashKey: $1) }
    }

    func stream(_ name: String) throws(ControlError) -> StreamReference {
        guard let view = members[name] else { throw wrong(name, "is missing") }
        let text = try text(view, name)
        guard let stream = StreamReference(text) else {
            throw wrong(name, "must be a stream's name, or name@region", found: view)
        }
        return stream
    }

    func ids(_ name: String) throws(ControlError) -> [Int64] {
        var ids: [Int64] = []
        for element in try elements(name) {
            if ids.count == ControlLimits.idsPerRequest { throw wrong(name, "are more than \(ids.count)") }
            ids.append(try integer(element, name, in: ControlLimits.ids))
        }
        return ids
    }

    /// Each of them base64.
    func payloads(_ name: String, mayBeEmpty: Bool) throws(ControlError) -> [Payload] {
        var payloads: [Payload] = []
        let most = ControlLimits.eventsPerRequest
        for element in try elements(name) {
            if payloads.count == most { throw wrong(name, "are more than \(most)") }
            guard let data = Data(base64Encoded: try text(element, name)), mayBeEmpty || !data.isEmpty else {
                throw wrong(name, "must each be base64 of a byte or more", found: element)
            }
            payloads.append(Payload([UInt8](data)))
        }
        if payloads.isEmpty { throw wrong(name, "must hold an event or more") }
        return payloads
    }

    private func elements(_ name: String) throws(ControlError) -> JSONView.Elements {
        guard let view = members[name] else { throw wrong(name, "is missing") }
        guard view.kind == .array else { throw wrong(name, "must be an array", found: view) }
        return view.elements
    }

    private func wrong(_ name: String, _ what: String, found: JSONView? = nil) -> ControlError {
        let shown = found.map { SafeText.line(String(decoding: $0.bytes.prefix(200), as: UTF8.self), limit: 40) }
        return ControlError(.badRequest, "'\(name)' \(place) \(what)\(shown.map { ", and was \($0)" } ?? "").")
    }
}

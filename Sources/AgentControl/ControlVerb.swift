// SPDX-License-Identifier: Apache-2.0

/// One verb of the control protocol: what it is called, what it takes and what it answers. A value is a request.
///
/// As `Encodable` it writes its arguments for agentd; ``init(reading:)`` reads them there. Each verb has a file in
/// Verbs, a ``VerbHandler`` in agentd and a command in agentctl.
public protocol ControlVerb: Encodable, Sendable {
    /// Printed by agentctl with --json as it is, with few exceptions.
    associatedtype Answer: Codable & Sendable

    /// In snake_case.
    static var verb: String { get }

    /// Whether all who ask at a time get one answer. Then a request has no arguments.
    static var isShared: Bool { get }

    /// What it has to wait for, and so what it can hold up.
    var lane: ControlLane { get }

    /// How long agentctl waits for the answer; longer than the request itself may take.
    var patience: Duration { get }

    /// Reads the arguments, which need not be agentctl's: nothing traps, and every number, name and key of the result
    /// is within its bounds.
    init(reading arguments: ControlArguments) throws(ControlError)

    /// The line that is sent.
    static func line(_ answer: Result<Answer, ControlError>) -> [UInt8]
}

extension ControlVerb {
    public static var isShared: Bool { false }

    public var patience: Duration { .seconds(60) }

    public static func line(_ answer: Result<Answer, ControlError>) -> [UInt8] { ControlProtocol.encode(answer) }
}

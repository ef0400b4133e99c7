// SPDX-License-Identifier: Apache-2.0

/// A dead letter, whole.
public struct DeadLetterRequest: ControlVerb {
    public typealias Answer = DeadLetterReport

    public static let verb = "dead_letter"

    public let id: Int64

    public init(id: Int64) {
        self.id = id
    }

    public var lane: ControlLane { .reading }

    public init(reading arguments: ControlArguments) throws(ControlError) {
        id = try arguments.integer("id", in: ControlLimits.ids)
    }
}

// SPDX-License-Identifier: Apache-2.0

/// Where the next step of a long work goes on: those with ids above `after` and up to `through`.
public struct StepRange: Sendable, Equatable, Codable {
    public let after: Int64
    public let through: Int64

    public init(after: Int64, through: Int64) {
        self.after = after
        self.through = through
    }
}

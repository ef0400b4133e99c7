// SPDX-License-Identifier: Apache-2.0

/// Where an event goes: a stream of an account in a region.
public struct Destination: Hashable, Sendable, CustomStringConvertible {
    /// The name of a configured account; empty for the default one.
    public let account: String
    public let region: String
    /// The stream's name, 1...128 of `[a-zA-Z0-9_.-]`.
    public let stream: String

    public init(account: String = "", region: String, stream: String) {
        self.account = account
        self.region = region
        self.stream = stream
    }

    /// `name@region`, as `agentctl` takes it.
    public var description: String { "\(stream)@\(region)" }
}

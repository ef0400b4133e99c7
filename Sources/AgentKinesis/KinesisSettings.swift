// SPDX-License-Identifier: Apache-2.0

public import AgentCore

/// How requests reach Kinesis.
public struct KinesisSettings: Sendable {
    /// The URL of a destination's endpoint: scheme, host and perhaps port and path; empty: there is none, and nothing is
    /// sent. Called for each request, on the worker's queue.
    public var endpoint: @Sendable (Destination) -> String
    /// A PEM file of certificates to trust instead of the system's; empty: the system's.
    public var caFile: String
    public var connectTimeout: Duration
    /// A request is given up when not a byte moved for so long while one should: not while a request that was sent waits
    /// for its answer. It is looked at once a second.
    public var stallTimeout: Duration
    /// The longest that a request may take from its start to the last byte of its answer.
    public var requestTimeout: Duration

    /// - Parameters:
    ///   - endpoint: A URL that all destinations share; empty: each region's public endpoint.
    ///   - stallTimeout: `nil`: a third of `requestTimeout`.
    public init(
        endpoint: String = "",
        caFile: String = "",
        connectTimeout: Duration = .seconds(5),
        stallTimeout: Duration? = nil,
        requestTimeout: Duration = .seconds(30)
    ) {
        self.endpoint = { endpoint.isEmpty ? Region.publicEndpoint(of: $0.region) ?? "" : endpoint }
        self.caFile = caFile
        self.connectTimeout = connectTimeout
        self.stallTimeout = stallTimeout ?? requestTimeout / 3
        self.requestTimeout = requestTimeout
    }
}

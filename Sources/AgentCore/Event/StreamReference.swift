// SPDX-License-Identifier: Apache-2.0

/// A stream as an operator names it: `name`, in the configured region, or `name@region`.
public struct StreamReference: Sendable, Hashable, Codable, CustomStringConvertible {
    public let name: String
    public let region: String?

    public init(name: String, region: String? = nil) {
        self.name = name
        self.region = region
    }

    /// - Returns: `nil` where the name is not one that a stream can have, or the region not one that AWS can have.
    public init?(_ text: String) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        guard KinesisLimits.isStreamName(parts[0]) else { return nil }
        if parts.count == 2, !Region.isWellFormed(parts[1]) { return nil }
        self.init(name: String(parts[0]), region: parts.count == 2 ? String(parts[1]) : nil)
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let stream = StreamReference(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a stream")
        }
        self = stream
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// - Parameter region: the configured one.
    public func destination(in region: String) -> Destination {
        Destination(region: self.region ?? region, stream: name)
    }

    /// Whether it may mean that destination, if the configured region is not known.
    public func matches(_ destination: Destination) -> Bool {
        destination.stream == name && (region ?? destination.region) == destination.region
    }

    public var description: String { region.map { "\(name)@\($0)" } ?? name }
}

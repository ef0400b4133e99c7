// SPDX-License-Identifier: Apache-2.0

/// A refusal of a whole request, by the name and in the words that Kinesis uses.
struct APIError: Error, Equatable {
    let status: Int
    let code: String
    let message: String

    init(_ code: String, _ message: String, status: Int = 400) {
        self.status = status
        self.code = code
        self.message = message
    }

    /// `{"__type":…,"message":…}`
    var body: [UInt8] {
        var json = JSONText()
        json.object {
            $0.member("__type", code)
            if !message.isEmpty { $0.member("message", message) }
        }
        return json.bytes
    }

    static func serialization(_ what: String) -> APIError { APIError("SerializationException", what) }

    static func unknownStream(_ name: String) -> APIError {
        APIError("ResourceNotFoundException", "Stream \(name) under account \(Account.id) not found.")
    }

    static func unknownShard(_ shard: String, stream: String) -> APIError {
        APIError(
            "ResourceNotFoundException",
            "Could not find shard \(shard) in stream \(stream) under account \(Account.id)."
        )
    }

    static func invalidArgument(_ message: String) -> APIError { APIError("InvalidArgumentException", message) }

    /// A constraint of the API model that a value breaks, as its validator words it.
    static func validation(_ place: String, value: String? = nil, _ constraint: String) -> APIError {
        let subject = value.map { "Value '\($0)'" } ?? "Value"
        return APIError(
            "ValidationException",
            "1 validation error detected: \(subject) at '\(place)' failed to satisfy constraint: Member must \(constraint)"
        )
    }

    static let throttlingCode = "ProvisionedThroughputExceededException"

    static func throttled(shard: String, stream: String) -> APIError {
        APIError(
            throttlingCode,
            "Rate exceeded for shard \(shard) in stream \(stream) under account \(Account.id)."
        )
    }
}

/// The one account that the server plays.
enum Account {
    static let id = "000000000000"

    static func arn(stream: String, region: String) -> String {
        "arn:aws:kinesis:\(region):\(id):stream/\(stream)"
    }

    /// The stream's name of an ARN; `nil` where it is none of a stream.
    static func stream(arn: String) -> String? {
        let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "arn", parts[1].hasPrefix("aws"), parts[2] == "kinesis",
            parts[4].utf8.count == 12, parts[4].utf8.allSatisfy({ (48...57).contains($0) }),
            parts[5].hasPrefix("stream/")
        else { return nil }
        return String(parts[5].dropFirst("stream/".count))
    }
}

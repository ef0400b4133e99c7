// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// Which stream a request of the Kinesis API is for.
struct StreamAddress: Equatable {
    let name: String
    /// Of the ARN; `nil`: the configured one.
    let region: String?

    /// From the members `StreamName` and `StreamARN`, of which one must be there. The ARN's account is not looked at:
    /// the agent's own credentials decide whose stream it is.
    init(name: String?, arn: String?) throws(Refusal) {
        guard let arn else {
            guard let name else { throw .invalidArgument("Either StreamName or StreamARN must be given.") }
            self.name = try Self.checked(name)
            region = nil
            return
        }
        let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "arn", parts[1].hasPrefix("aws"), parts[2] == "kinesis",
            parts[4].utf8.count == 12, parts[4].utf8.allSatisfy(FieldBytes.isDigit), parts[5].hasPrefix("stream/")
        else {
            throw .validation(
                "streamARN",
                value: arn,
                #"satisfy regular expression pattern: arn:aws.*:kinesis:.*:\d{12}:stream/\S+"#
            )
        }
        let named = String(parts[5].dropFirst("stream/".utf8.count))
        if let name, name != named {
            throw .invalidArgument("StreamName \(name) and StreamARN \(arn) name different streams.")
        }
        self.name = try Self.checked(named)
        region = parts[3].isEmpty ? nil : String(parts[3])
    }

    private static func checked(_ name: String) throws(Refusal) -> String {
        if name.isEmpty { throw .validation("streamName", value: name, "have length greater than or equal to 1") }
        guard name.utf8.count <= KinesisLimits.streamNameCharacters else {
            throw .validation(
                "streamName",
                value: name,
                "have length less than or equal to \(KinesisLimits.streamNameCharacters)"
            )
        }
        guard KinesisLimits.isStreamName(name) else {
            throw .validation("streamName", value: name, "satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
        }
        return name
    }

    /// Answers name the agent's streams as if they were of an account without a number: it knows none.
    static func arn(of destination: Destination) -> String {
        let partition =
            switch destination.region {
            case let region where region.hasPrefix("cn-"): "aws-cn"
            case let region where region.hasPrefix("us-gov-"): "aws-us-gov"
            case let region where region.hasPrefix("eusc-"): "aws-eusc"
            case let region where region.hasPrefix("us-isob-"): "aws-iso-b"
            case let region where region.hasPrefix("us-iso-"): "aws-iso"
            default: "aws"
            }
        return "arn:\(partition):kinesis:\(destination.region):000000000000:stream/\(destination.stream)"
    }
}

// SPDX-License-Identifier: Apache-2.0

// Refusals by the names and in the words that Kinesis uses: SDKs make exceptions of the names, and people search for
// the words.

extension Refusal {
    static func kinesis(_ exception: String, _ message: String, status: Int = 400) -> Refusal {
        var refusal = Refusal(status, "kinesis_api", message)
        refusal.exception = exception
        return refusal
    }

    static func serialization(_ message: String) -> Refusal { kinesis("SerializationException", message) }

    static func invalidArgument(_ message: String) -> Refusal { kinesis("InvalidArgumentException", message) }

    /// A constraint of the API model that a value breaks, as the service's validator words it.
    ///
    /// - Parameters:
    ///   - value: is repeated where it is short.
    ///   - constraint: goes on after "Member must".
    static func validation(_ place: String, value: String? = nil, _ constraint: String) -> Refusal {
        let subject = value.map { $0.utf8.count <= 256 ? "Value '\($0)'" : "Value" } ?? "Value"
        return kinesis(
            "ValidationException",
            "1 validation error detected: \(subject) at '\(place)' failed to satisfy constraint: Member must \(constraint)"
        )
    }

    static func missing(_ place: String) -> Refusal { validation(place, value: "null", "not be null") }

    /// Nothing was kept: the client may send again without repeating anything.
    static let notDelivering = Refusal(
        503,
        "not_delivering",
        """
        Nothing was kept: listen.kinesis_api = "deliver" answers with Kinesis's own numbers, and the stream takes no \
        events now, or too many requests wait for it. 'agentctl status' says why. Try again later.
        """,
        retryAfter: 1
    )
}

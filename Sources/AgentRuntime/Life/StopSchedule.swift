// SPDX-License-Identifier: Apache-2.0

/// How the time that a stop may take is shared out. No request to Kinesis is begun after its first moment; clients and
/// requests under way have their time side by side, so that neither takes it from the other.
struct StopSchedule: Equatable {
    /// For clients to end what they have begun, from the beginning on. They are on this machine, mostly, and send again
    /// what was not answered.
    let intake: Duration
    /// For requests to Kinesis that are under way, from the beginning on. The rest of the time, a second or half of
    /// less, is for the commits that follow.
    let requests: Duration

    /// - Parameter timeout: `delivery.stop_timeout`.
    init(timeout: Duration) {
        intake = max(.milliseconds(100), min(timeout / 2, .seconds(5)))
        requests = timeout - min(.seconds(1), timeout / 2)
    }
}

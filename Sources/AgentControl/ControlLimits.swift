// SPDX-License-Identifier: Apache-2.0

/// What numbers of a request may be. agentd refuses others, agentctl does not send them.
public enum ControlLimits {
    /// Ids of events and dead letters.
    public static let ids: ClosedRange<Int64> = 1...(.max - 1)
    /// "Only those with larger ids."
    public static let after: ClosedRange<Int64> = 0...(.max - 1)
    /// Events or dead letters in an answer.
    public static let pageEvents = 1...10_000
    /// Bytes of data in an answer, which in JSON can be six times as many.
    public static let pageBytes = 1...(4 << 20)
    /// How long a flush may wait.
    public static let timeoutSeconds = 0.0...604_800
    /// How old what is purged has to be at least; a hundred years.
    public static let ageSeconds = 0.0...3_155_760_000
    /// Events in a request to send.
    public static let eventsPerRequest = 10_000
    /// Ids in a request to requeue or purge.
    public static let idsPerRequest = 1000
}

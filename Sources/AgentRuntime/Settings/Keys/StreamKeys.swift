// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// The keys of a `[[stream]]`, in the order of agent.conf.example.
struct StreamKeys: SettingKeys {
    static let list = SettingList("stream", StreamKeys())

    let name: Setting<String> = .text(
        "name",
        default: "",
        "the name of a stream, 1 to 128 of a-z A-Z 0-9 _ . -",
        isRequired: true,
        parse: SettingText.streamName,
        needsRestart: false,
        about: "The stream's name. It must be given, and once for a region.",
        risk: """
            A stream taken out of this file keeps its backlog, parked, until it is listed again: nothing is lost.
            """
    )

    /// Never empty in loaded settings: `aws.region` where the file gives none.
    let region: Setting<String> = .text(
        "region",
        default: "",
        "\"\" or a region such as \"eu-west-1\"",
        parse: SettingText.regionOrNone,
        needsRestart: false,
        about: "Where the stream is. \"\" means aws.region.",
        risk: "Another region is another stream: the backlog of the old one stays, parked."
    )

    let endpoint: Setting<String> = .text(
        "endpoint",
        default: "",
        "\"\" or a URL such as \"https://kinesis.example.com:4567\", without a path",
        parse: SettingText.endpointOrNone,
        needsRestart: false,
        about: "Where this stream's requests go. \"\" means aws.endpoint, or AWS's own.",
        risk: "Events go to whoever answers there."
    )

    let ordering: Setting<DestinationSettings.Ordering> = .choice(
        "ordering",
        default: .key,
        later: ["strict"],
        needsRestart: false,
        about: """
            "key": events with the same partition key arrive in the order in which they were accepted; there is \
            at most one request under way for a key, so one key alone is as slow as the round trip. "none": no \
            order, and no such limit.
            """,
        risk: "With \"none\" a retried event can arrive after a younger one of its key. Nothing is lost."
    )

    let aggregation: Setting<Aggregation> = .choice(
        "aggregation",
        default: .off,
        later: ["key"],
        needsRestart: false,
        about: "Whether several events share one Kinesis record. \"off\": each event is a record.",
        risk: "Consumers have to know how to take aggregated records apart."
    )

    /// A JSON Pointer; empty: none.
    let partitionKey: Setting<String> = .text(
        "partition_key",
        default: "",
        "\"\" or a JSON Pointer such as \"/user/id\"",
        parse: SettingText.pointer,
        needsRestart: false,
        about: """
            Where in an event its partition key is, when the request gives none. \"\" is nowhere: such events \
            are spread over the shards, in no order.
            """,
        risk: "Changes which events are ordered against each other, from the next event on."
    )

    /// Zero: no limit of its own.
    let maxBytes: Setting<Int> = .size(
        "max_bytes",
        default: 0,
        in: 0...16 << 40,
        needsRestart: false,
        about: "This stream's share of queue.max_bytes. 0 is no limit of its own.",
        risk: "At the limit, queue.when_full decides for this stream alone. Lowering it removes nothing."
    )

    /// Data plus partition key.
    let maxRecordBytes: Setting<Int> = .size(
        "max_record_bytes",
        default: KinesisLimits.defaultRecordBytes,
        in: 1 << 10...10 << 20,
        needsRestart: false,
        about: """
            The largest record that the stream takes, partition key included: 1 MiB, unless it was raised with \
            UpdateMaxRecordSize.
            """,
        risk: "Higher than what the stream takes, and larger events end up in the dead letters."
    )
}

enum Aggregation: String, Sendable, CaseIterable {
    case off
}

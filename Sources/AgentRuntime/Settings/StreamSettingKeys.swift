// SPDX-License-Identifier: Apache-2.0

// The keys of a [[stream]], in the order of agent.conf.example.

extension SettingKey where Root == Settings.Stream {
    static let ofStream: [SettingKey] = [
        name,
        .text(
            "region",
            \.region,
            "\"\" or a region such as \"eu-west-1\"",
            parse: SettingText.regionOrNone,
            about: "Where the stream is. \"\" means aws.region.",
            risk: "Another region is another stream: the backlog of the old one stays, parked."
        ),
        .text(
            "endpoint",
            \.endpoint,
            "\"\" or a URL such as \"https://kinesis.example.com:4567\", without a path",
            parse: SettingText.endpointOrNone,
            about: "Where this stream's requests go. \"\" means aws.endpoint, or AWS's own.",
            risk: "Events go to whoever answers there."
        ),
        .choice(
            "ordering",
            \.ordering,
            later: ["strict"],
            about: """
                "key": events with the same partition key arrive in the order in which they were accepted; there is \
                at most one request under way for a key, so one key alone is as slow as the round trip. "none": no \
                order, and no such limit.
                """,
            risk: "With \"none\" a retried event can arrive after a younger one of its key. Nothing is lost."
        ),
        .choice(
            "aggregation",
            \.aggregation,
            later: ["key"],
            about: "Whether several events share one Kinesis record. \"off\": each event is a record.",
            risk: "Consumers have to know how to take aggregated records apart."
        ),
        .text(
            "partition_key",
            \.partitionKey,
            "\"\" or a JSON Pointer such as \"/user/id\"",
            parse: SettingText.pointer,
            about: """
                Where in an event its partition key is, when the request gives none. \"\" is nowhere: such events \
                are spread over the shards, in no order.
                """,
            risk: "Changes which events are ordered against each other, from the next event on."
        ),
        .size(
            "max_bytes",
            \.maxBytes,
            0...16 << 40,
            about: "This stream's share of queue.max_bytes. 0 is no limit of its own.",
            risk: "At the limit, queue.when_full decides for this stream alone. Lowering it removes nothing."
        ),
        .size(
            "max_record_bytes",
            \.maxRecordBytes,
            1 << 10...10 << 20,
            about: """
                The largest record that the stream takes, partition key included: 1 MiB, unless it was raised with \
                UpdateMaxRecordSize.
                """,
            risk: "Higher than what the stream takes, and larger events end up in the dead letters."
        ),
    ]

    private static let name: SettingKey = {
        var key = SettingKey.text(
            "name",
            \.name,
            "the name of a stream, 1 to 128 of a-z A-Z 0-9 _ . -",
            parse: SettingText.streamName,
            about: "The stream's name. It must be given, and once for a region.",
            risk: """
                A stream taken out of this file keeps its backlog, parked, until it is listed again: nothing is lost.
                """
        )
        key.required = true
        return key
    }()
}

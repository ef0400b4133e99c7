// SPDX-License-Identifier: Apache-2.0

/// The keys of `[delivery]`, in the order of agent.conf.example.
struct DeliveryKeys: SettingKeys {
    static let list = SettingList("delivery", DeliveryKeys())

    let workers: Setting<Int> = .count(
        "workers",
        default: 8,
        in: 1...64,
        needsRestart: true,
        about: "How many requests to Kinesis run at once, each over a connection of its own.",
        risk: "Nothing is lost. Each may hold two batches in memory."
    )

    let linger: Setting<Duration> = .duration(
        "linger",
        default: .milliseconds(50),
        in: .zero ... .seconds(60),
        needsRestart: false,
        about: """
            How long an event may wait for others to share a request: those of a stream that are not full begin no \
            closer together. It delays neither retries nor the first event after a pause.
            """,
        risk: "Nothing is lost. Longer means fewer requests and older events."
    )

    let maxBatchBytes: Setting<Int> = .size(
        "max_batch_bytes",
        default: 1 << 20,
        in: 64 << 10...10 << 20,
        needsRestart: false,
        about: "Data and keys in one request. A larger event travels alone.",
        risk: "Nothing is lost. Larger batches need more memory, and more is sent again after a lost answer."
    )

    let memory: Setting<Int> = .size(
        "memory",
        default: 12 << 20,
        in: 4 << 20...8 << 30,
        needsRestart: true,
        about: "Memory for events that are read ahead of delivery. The backlog itself stays on the disk.",
        risk: "Nothing is lost. Too low, and workers wait for the disk."
    )

    let connectTimeout: Setting<Duration> = .duration(
        "connect_timeout",
        default: .seconds(5),
        in: .milliseconds(100) ... .seconds(120),
        needsRestart: false,
        about: "How long a connection to Kinesis may take, name lookup and TLS included, before it is tried again.",
        risk: "Nothing is lost. Too short for a slow link, and nothing is ever delivered."
    )

    let requestTimeout: Setting<Duration> = .duration(
        "request_timeout",
        default: .seconds(30),
        in: .seconds(1) ... .seconds(600),
        needsRestart: false,
        about: """
            How long one request to Kinesis may take before it is tried again. One that should be moving bytes and \
            moves none for a third of this is cut before that; the wait for an answer is not.
            """,
        risk: """
            Nothing is lost, but a request that is cut off may have been stored: too short a time brings \
            duplicates.
            """
    )

    let stopTimeout: Setting<Duration> = .duration(
        "stop_timeout",
        default: .seconds(10),
        in: .zero ... .seconds(600),
        needsRestart: false,
        about: """
            How long the agent waits at shutdown for requests to Kinesis that are under way; none is begun any \
            more. Clients have half of it, at most 5 seconds, at the same time.
            """,
        risk: """
            Nothing is lost: what was not delivered stays in the queue. Requests cut off may be sent again after \
            the next start. Keep it below TimeoutStopSec= of the unit.
            """
    )
}

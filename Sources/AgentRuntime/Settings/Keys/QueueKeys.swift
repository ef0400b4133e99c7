// SPDX-License-Identifier: Apache-2.0

internal import AgentQueue

/// The keys of `[queue]`, in the order of agent.conf.example.
struct QueueKeys: SettingKeys {
    static let list = SettingList("queue", QueueKeys())

    let path: Setting<String> = .text(
        "path",
        default: "/var/lib/agentd/queue.db",
        "an absolute path without control characters, of at most 4031 bytes and with a file name of at most 191",
        parse: SettingText.pathOfQueue,
        needsRestart: true,
        about: """
            The file that holds the queue. Beside it lie its write-ahead log, a lock and a small reserve of disk \
            space. It belongs on a local disk that survives a reboot: not on tmpfs, overlay or a network.
            """,
        risk: """
            Events in a file that is no longer named here are not delivered until it is named again. Move the \
            file, with its -wal beside it, while the agent is stopped.
            """
    )

    let maxBytes: Setting<Int> = .size(
        "max_bytes",
        default: 4 << 30,
        in: 1 << 20...16 << 40,
        needsRestart: false,
        about: """
            How much the queue may hold: data, keys and 64 bytes for each event. A limit, not a reservation; \
            dead letters do not count.
            """,
        risk: """
            Too low, and a long outage fills it, after which when_full decides. Lowering it removes nothing that \
            is already there.
            """
    )

    let minFreeDisk: Setting<Int> = .size(
        "min_free_disk",
        default: 256 << 20,
        in: 16 << 20...1 << 40,
        needsRestart: false,
        about: "New events are refused (507) while the disk has less free than this. Delivery goes on.",
        risk: "Too low, and the rest of the machine meets a full disk before the agent gives way."
    )

    let whenFull: Setting<QueueSettings.WhenFull> = .choice(
        "when_full",
        default: .reject,
        needsRestart: false,
        about: """
            What happens to a new event when the queue is full. "reject" answers 507, so that the application \
            knows; "drop-oldest" makes room by deleting the oldest events.
            """,
        risk: "\"drop-oldest\" loses events that were acknowledged. They are counted as evicted."
    )

    /// Zero: events are kept until they are delivered.
    let maxAge: Setting<Duration> = .duration(
        "max_age",
        default: .zero,
        in: .zero ... .seconds(3650 * 86400),
        needsRestart: false,
        about: """
            Events older than this are deleted instead of delivered. The age is counted on the agent's own clock, \
            so a wall clock that jumps expires nothing. 0s keeps them until they are delivered.
            """,
        risk: "Any value but 0s loses events in an outage that lasts longer. They are counted as expired."
    )

    let durability: Setting<QueueSettings.Durability> = .choice(
        "durability",
        default: .full,
        needsRestart: false,
        about: """
            When an event is acknowledged. "full": once it is on the disk. "normal": once the operating system \
            has it, which is faster on slow disks.
            """,
        risk: """
            With "normal" a power cut or a crash of the kernel can lose the last acknowledged events; a crash of \
            the agent cannot.
            """
    )

    let deadLetterMaxBytes: Setting<Int> = .size(
        "dead_letter_max_bytes",
        default: 256 << 20,
        in: 1 << 20...1 << 40,
        needsRestart: false,
        about: """
            How much the dead letters may hold: events that Kinesis refused for good, each with its reason. They \
            have this room to themselves.
            """,
        risk: "When they are full, the oldest are deleted for good; totals still count them as dead-lettered."
    )
}

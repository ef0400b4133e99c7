// SPDX-License-Identifier: Apache-2.0

// The keys of agent.conf outside of [[stream]], in the order of agent.conf.example.

extension SettingKey where Root == Settings {
    static let all: [SettingKey] = queue + listen + delivery + aws + streams + log

    static let sections = ["queue", "listen", "delivery", "aws", "streams", "log"]

    private static let queue: [SettingKey] = [
        .text(
            "queue.path",
            \.queue.path,
            "an absolute path",
            parse: SettingText.pathOfQueue,
            about: """
                The file that holds the queue. Beside it lie its write-ahead log, a lock and a small reserve of disk \
                space. It belongs on a local disk that survives a reboot: not on tmpfs, overlay or a network.
                """,
            risk: """
                Events in a file that is no longer named here are not delivered until it is named again. Move the \
                file, with its -wal beside it, while the agent is stopped.
                """
        ),
        .size(
            "queue.max_bytes",
            \.queue.maxBytes,
            1 << 20...16 << 40,
            about: """
                How much the queue may hold: data, keys and 64 bytes for each event. A limit, not a reservation; \
                dead letters do not count.
                """,
            risk: """
                Too low, and a long outage fills it, after which when_full decides. Lowering it removes nothing that \
                is already there.
                """
        ),
        .size(
            "queue.min_free_disk",
            \.queue.minFreeDisk,
            16 << 20...1 << 40,
            about: "New events are refused (507) while the disk has less free than this. Delivery goes on.",
            risk: "Too low, and the rest of the machine meets a full disk before the agent gives way."
        ),
        .choice(
            "queue.when_full",
            \.queue.whenFull,
            about: """
                What happens to a new event when the queue is full. "reject" answers 507, so that the application \
                knows; "drop-oldest" makes room by deleting the oldest events.
                """,
            risk: "\"drop-oldest\" loses events that were acknowledged. They are counted as evicted."
        ),
        .duration(
            "queue.max_age",
            \.queue.maxAge,
            .zero ... .seconds(3650 * 86400),
            about: """
                Events older than this are deleted instead of delivered. The age is counted on the agent's own clock, \
                so a wall clock that jumps expires nothing. 0s keeps them until they are delivered.
                """,
            risk: "Any value but 0s loses events in an outage that lasts longer. They are counted as expired."
        ),
        .choice(
            "queue.durability",
            \.queue.durability,
            about: """
                When an event is acknowledged. "full": once it is on the disk. "normal": once the operating system \
                has it, which is faster on slow disks.
                """,
            risk: """
                With "normal" a power cut or a crash of the kernel can lose the last acknowledged events; a crash of \
                the agent cannot.
                """
        ),
        .size(
            "queue.dead_letter_max_bytes",
            \.queue.deadLetterMaxBytes,
            1 << 20...1 << 40,
            about: """
                How much the dead letters may hold: events that Kinesis refused for good, each with its reason. They \
                have this room to themselves.
                """,
            risk: "When they are full, the oldest are deleted for good; totals still count them as dead-lettered."
        ),
    ]

    private static let listen: [SettingKey] = [
        .text(
            "listen.http",
            \.listen.http,
            "\"\" or an address and port, as \"127.0.0.1:8077\" or \"[::1]:8077\"",
            parse: SettingText.listenAddress,
            print: { $0.map(\.description) ?? "" },
            about: "Where events are taken over HTTP. \"\" turns it off; port 0 takes any that is free.",
            risk: """
                Whoever can reach it can post: there is no password. Other than a loopback address opens it to the \
                network.
                """
        ),
        .text(
            "listen.socket",
            \.listen.socket,
            "\"\" or an absolute path of at most 107 bytes",
            parse: SettingText.socketOrNone,
            about: "The Unix socket for events, HTTP or lines. Mode 0660. \"\" turns it off.",
            risk: "Applications that post to the old path are refused by the system until they learn the new one."
        ),
        .text(
            "listen.control_socket",
            \.listen.controlSocket,
            "an absolute path of at most 107 bytes",
            parse: SettingText.socket,
            about: "The Unix socket of agentctl. Mode 0660, group agentd-admin where that exists.",
            risk: "agentctl finds another path only through --control or $AGENTD_CONTROL."
        ),
        .size(
            "listen.max_event_bytes",
            \.listen.maxEventBytes,
            1 << 10...10 << 20,
            about: "The largest event taken (413 above it). A stream's max_record_bytes holds too.",
            risk: "Lower, and larger events are turned away. Nothing that is queued is touched."
        ),
        .size(
            "listen.max_request_bytes",
            \.listen.maxRequestBytes,
            1 << 10...256 << 20,
            about: "The largest body of a request, and so of a batch of events (413 above it).",
            risk: "Nothing is lost. It takes room in listen.memory while it is read."
        ),
        .count(
            "listen.max_connections",
            \.listen.maxConnections,
            1...65_536,
            about: """
                How many connections are open at once, over HTTP and the socket together; half are each one's own when \
                both need them. When all are in use, one that is idle or has stopped makes room for a new client. Each \
                takes a file descriptor: the agent raises its soft limit to what it needs, and takes fewer connections \
                where the hard limit is too low for that.
                """,
            risk: "Nothing is lost. Above what the hard limit allows, raise LimitNOFILE= of the unit."
        ),
        .duration(
            "listen.idle_timeout",
            \.listen.idleTimeout,
            .seconds(1) ... .seconds(3600),
            about: """
                A connection that says nothing for so long is closed. A request is given 408 when its header takes \
                longer than this or 10 seconds, or its body longer than this or 30 seconds, whichever is less.
                """,
            risk: "Too short, and clients behind slow links have to send again."
        ),
        .size(
            "listen.memory",
            \.listen.memory,
            1 << 20...8 << 30,
            about: """
                Memory for requests that are coming in, of all connections together, and as much again for events that \
                are being stored. When much of it is used, large bodies stay unread until there is room, and clients \
                that send nothing more are cut off (408). Small requests always find room.
                """,
            risk: "Nothing is lost; lower it on small machines, together with max_request_bytes."
        ),
        .duration(
            "listen.put_wait",
            \.listen.putWait,
            .zero ... .seconds(60),
            about: "How long PUT /{stream} waits for Kinesis before it answers 202: queued, not yet delivered.",
            risk: "Nothing is lost: either answer is given only after the event is in the queue."
        ),
        .choice(
            "listen.kinesis_api",
            \.listen.kinesisAPI,
            about: """
                When PutRecord and PutRecords of the Kinesis API (POST / of an AWS SDK) are answered. "buffer": once \
                the records are in the queue, with ids of the queue as sequence numbers. "deliver": once Kinesis has \
                them, with its own numbers; with a fault after put_wait, and at once where the stream takes no events.
                """,
            risk: """
                Nothing is lost. With "deliver" applications notice an outage, and a record that was late is there \
                twice when they send it again. put_wait must be shorter than the SDKs' read time-out.
                """
        ),
        .list(
            "listen.allowed_hosts",
            \.listen.allowedHosts,
            "host names",
            parse: SettingText.hostName,
            about: """
                Names that a request's Host header may have besides localhost and the address it came to. Others are \
                refused, because a web page can point a name of its own at a loopback address.
                """,
            risk: "A name that others control lets their pages post events through a browser on this machine."
        ),
        .list(
            "listen.allowed_origins",
            \.listen.allowedOrigins,
            "origins such as \"https://app.example.com\"",
            parse: SettingText.origin,
            about: """
                Web pages that may post from a browser, and read the answers (CORS). Requests with any other Origin \
                header are refused (403).
                """,
            risk: "Every page of a listed origin can post events."
        ),
    ]

    private static let delivery: [SettingKey] = [
        .count(
            "delivery.workers",
            \.delivery.workers,
            1...64,
            about: "How many requests to Kinesis run at once, each over a connection of its own.",
            risk: "Nothing is lost. Each may hold two batches in memory."
        ),
        .duration(
            "delivery.linger",
            \.delivery.linger,
            .zero ... .seconds(60),
            about: """
                How long an event may wait for others to share a request: those of a stream that are not full begin no \
                closer together. It delays neither retries nor the first event after a pause.
                """,
            risk: "Nothing is lost. Longer means fewer requests and older events."
        ),
        .size(
            "delivery.max_batch_bytes",
            \.delivery.maxBatchBytes,
            64 << 10...10 << 20,
            about: "Data and keys in one request. A larger event travels alone.",
            risk: "Nothing is lost. Larger batches need more memory, and more is sent again after a lost answer."
        ),
        .size(
            "delivery.memory",
            \.delivery.memory,
            4 << 20...8 << 30,
            about: "Memory for events that are read ahead of delivery. The backlog itself stays on the disk.",
            risk: "Nothing is lost. Too low, and workers wait for the disk."
        ),
        .duration(
            "delivery.connect_timeout",
            \.delivery.connectTimeout,
            .milliseconds(100) ... .seconds(120),
            about: "How long a connection to Kinesis may take, name lookup and TLS included, before it is tried again.",
            risk: "Nothing is lost. Too short for a slow link, and nothing is ever delivered."
        ),
        .duration(
            "delivery.request_timeout",
            \.delivery.requestTimeout,
            .seconds(1) ... .seconds(600),
            about: """
                How long one request to Kinesis may take before it is tried again. One that should be moving bytes and \
                moves none for a third of this is cut before that; the wait for an answer is not.
                """,
            risk: """
                Nothing is lost, but a request that is cut off may have been stored: too short a time brings \
                duplicates.
                """
        ),
        .duration(
            "delivery.stop_timeout",
            \.delivery.stopTimeout,
            .zero ... .seconds(600),
            about: """
                How long the agent waits at shutdown for requests to Kinesis that are under way; none is begun any \
                more. Clients have half of it, at most 5 seconds, at the same time.
                """,
            risk: """
                Nothing is lost: what was not delivered stays in the queue. Requests cut off may be sent again after \
                the next start. Keep it below TimeoutStopSec= of the unit.
                """
        ),
    ]

    private static let aws: [SettingKey] = [
        .text(
            "aws.region",
            \.aws.region,
            "a region such as \"us-east-1\"",
            parse: SettingText.region,
            about: "The region of streams and requests that name none.",
            risk:
                "Such streams become other streams: what is queued for the old region stays there, parked, until it is listed again."
        ),
        .text(
            "aws.endpoint",
            \.aws.endpoint,
            "\"\" or a URL such as \"https://kinesis.example.com:4567\", without a path",
            parse: SettingText.endpointOrNone,
            about: "Sends to this address instead of AWS's own: a VPC endpoint, a proxy, kinesis-local.",
            risk: "Events go to whoever answers there. With http:// they cross the network unencrypted."
        ),
        .text(
            "aws.ca_file",
            \.aws.caFile,
            "\"\" or an absolute path",
            parse: SettingText.pathOrNone,
            about: """
                A PEM file of the certificate authorities to trust instead of the system's. It is read again within \
                seconds when it changes.
                """,
            risk: "Whoever holds a key of such an authority can read and alter what is sent."
        ),
        .text(
            "aws.profile",
            \.aws.profile,
            "\"\" or the name of a profile",
            parse: SettingText.word,
            about: """
                The profile of the shared AWS files whose credentials are used. "" is what the AWS command line does: the \
                keys in the environment, else the profile that $AWS_DEFAULT_PROFILE or $AWS_PROFILE names, else \
                "default"; then what a container is given. Credentials themselves have no place in this file.
                """,
            risk: "Without working credentials nothing is sent and nothing is lost; agentctl status says so."
        ),
    ]

    private static let streams: [SettingKey] = [
        .choice(
            "streams.accept",
            \.streams.accept,
            about: """
                Which streams take events: those listed below, or any name that a request gives, with the defaults \
                of [[stream]].
                """,
            risk: "With \"any\" a misspelt name is accepted, and its events wait for a stream that does not exist."
        ),
        .count(
            "streams.max_destinations",
            \.streams.maxDestinations,
            1...10_000,
            about: "How many streams \"any\" may come to, listed ones included. Events for more are refused.",
            risk: "Nothing is lost; a destination takes a table of the queue file, and memory while it has events."
        ),
        .text(
            "streams.default",
            \.streams.default,
            "\"\" or a stream, as \"clicks\" or \"clicks@eu-west-1\"",
            parse: SettingText.streamOrNone,
            about: "The stream of lines on the Unix socket that name none. \"\" refuses such lines.",
            risk: "Lines whose author forgot the stream go there."
        ),
    ]

    private static let log: [SettingKey] = [
        .choice(
            "log.level",
            \.log.level,
            about: """
                The least that is logged. Warning: something is odd, nothing is lost. Error: events were lost, or a \
                person is needed.
                """,
            risk: "Above \"info\" the log no longer tells when streams stop and start; events are never in it."
        )
    ]
}

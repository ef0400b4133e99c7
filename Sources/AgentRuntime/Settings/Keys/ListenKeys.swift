// SPDX-License-Identifier: Apache-2.0

internal import AgentIngest

/// The keys of `[listen]`, in the order of agent.conf.example.
struct ListenKeys: SettingKeys {
    static let list = SettingList("listen", ListenKeys())

    /// `nil`: no TCP.
    let http: Setting<ListenAddress?> = .text(
        "http",
        default: ListenAddress(host: "127.0.0.1", port: 8077),
        "\"\" or an address and port, as \"127.0.0.1:8077\" or \"[::1]:8077\"",
        parse: SettingText.listenAddress,
        print: { $0.map(\.description) ?? "" },
        needsRestart: true,
        about: "Where events are taken over HTTP. \"\" turns it off; port 0 takes any that is free.",
        risk: """
            Whoever can reach it can post: there is no password. Other than a loopback address opens it to the \
            network.
            """
    )

    /// Empty: no Unix socket.
    let socket: Setting<String> = .text(
        "socket",
        default: "/run/agentd/ingest.sock",
        "\"\" or an absolute path of at most 107 bytes",
        parse: SettingText.socketOrNone,
        needsRestart: true,
        about: "The Unix socket for events, HTTP or lines. Mode 0660. \"\" turns it off.",
        risk: "Applications that post to the old path are refused by the system until they learn the new one."
    )

    let controlSocket: Setting<String> = .text(
        "control_socket",
        default: "/run/agentd/control.sock",
        "an absolute path of at most 107 bytes",
        parse: SettingText.socket,
        needsRestart: true,
        about: "The Unix socket of agentctl. Mode 0660, group agentd-admin where that exists.",
        risk: "agentctl finds another path only through --control or $AGENTD_CONTROL."
    )

    let maxEventBytes: Setting<Int> = .size(
        "max_event_bytes",
        default: 1 << 20,
        in: 1 << 10...10 << 20,
        needsRestart: false,
        about: "The largest event taken (413 above it). A stream's max_record_bytes holds too.",
        risk: "Lower, and larger events are turned away. Nothing that is queued is touched."
    )

    let maxRequestBytes: Setting<Int> = .size(
        "max_request_bytes",
        default: 16 << 20,
        in: 1 << 10...256 << 20,
        needsRestart: false,
        about: "The largest body of a request, and so of a batch of events (413 above it).",
        risk: "Nothing is lost. It takes room in listen.memory while it is read."
    )

    let maxConnections: Setting<Int> = .count(
        "max_connections",
        default: 1024,
        in: 1...65_536,
        needsRestart: true,
        about: """
            How many connections are open at once, over HTTP and the socket together; half are each one's own when \
            both need them. When all are in use, one that is idle or has stopped makes room for a new client. Each \
            takes a file descriptor: the agent raises its soft limit to what it needs, and takes fewer connections \
            where the hard limit is too low for that.
            """,
        risk: "Nothing is lost. Above what the hard limit allows, raise LimitNOFILE= of the unit."
    )

    let idleTimeout: Setting<Duration> = .duration(
        "idle_timeout",
        default: .seconds(75),
        in: .seconds(1) ... .seconds(3600),
        needsRestart: false,
        about: """
            A connection that says nothing for so long is closed. A request is given 408 when its header takes \
            longer than this or 10 seconds, or its body longer than this or 30 seconds, whichever is less.
            """,
        risk: "Too short, and clients behind slow links have to send again."
    )

    let memory: Setting<Int> = .size(
        "memory",
        default: 16 << 20,
        in: 1 << 20...8 << 30,
        needsRestart: true,
        about: """
            Memory for requests that are coming in, of all connections together, and as much again for events that \
            are being stored. When much of it is used, large bodies stay unread until there is room, and clients \
            that send nothing more are cut off (408). Small requests always find room.
            """,
        risk: "Nothing is lost; lower it on small machines, together with max_request_bytes."
    )

    let putWait: Setting<Duration> = .duration(
        "put_wait",
        default: .seconds(5),
        in: .zero ... .seconds(60),
        needsRestart: false,
        about: "How long PUT /{stream} waits for Kinesis before it answers 202: queued, not yet delivered.",
        risk: "Nothing is lost: either answer is given only after the event is in the queue."
    )

    let kinesisAPI: Setting<KinesisAPIMode> = .choice(
        "kinesis_api",
        default: .buffer,
        needsRestart: false,
        about: """
            When PutRecord and PutRecords of the Kinesis API (POST / of an AWS SDK) are answered. "buffer": once \
            the records are in the queue, with ids of the queue as sequence numbers. "deliver": once Kinesis has \
            them, with its own numbers; with a fault after put_wait, and at once where the stream takes no events.
            """,
        risk: """
            Nothing is lost. With "deliver" applications notice an outage, and a call that an application sends \
            again, rather than its SDK, is put twice. put_wait must be shorter than the SDKs' read time-out.
            """
    )

    let idempotencyWindow: Setting<Duration> = .duration(
        "idempotency_window",
        default: .seconds(3600),
        in: .seconds(60) ... .seconds(7 * 86400),
        needsRestart: false,
        about: """
            How long a request with an Idempotency-Key is known: one with the same key is answered as it was, and \
            its events are not stored again. So are the attempts of an AWS SDK's call. At least the last 65536 such \
            requests are known, and none longer than this.
            """,
        risk: "Too short, and what a client sends again after an outage of its own is stored twice."
    )

    /// Names besides loopback ones that a `Host` header may have; lower case, without port.
    let allowedHosts: Setting<[String]> = .list(
        "allowed_hosts",
        default: [],
        "host names",
        parse: SettingText.hostName,
        needsRestart: false,
        about: """
            Names that a request's Host header may have besides localhost and the address it came to. Others are \
            refused, because a web page can point a name of its own at a loopback address.
            """,
        risk: "A name that others control lets their pages post events through a browser on this machine."
    )

    /// Origins, such as `https://app.example.com`, whose pages may post.
    let allowedOrigins: Setting<[String]> = .list(
        "allowed_origins",
        default: [],
        "origins such as \"https://app.example.com\"",
        parse: SettingText.origin,
        needsRestart: false,
        about: """
            Web pages that may post from a browser, and read the answers (CORS). Requests with any other Origin \
            header are refused (403).
            """,
        risk: "Every page of a listed origin can post events."
    )
}

// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// Why a request, or a line, is turned away: what the client is told.
struct Refusal: Error, Hashable {
    let status: Int
    /// A fixed word for programs.
    let code: String
    /// A sentence for people that says what to do.
    let message: String
    /// Seconds after which it may work.
    var retryAfter: Int?
    /// The methods that the path does take.
    var allow: String?

    init(_ status: Int, _ code: String, _ message: String, retryAfter: Int? = nil, allow: String? = nil) {
        self.status = status
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
        self.allow = allow
    }

    /// The same, with the line that it is about in its message.
    func onLine(_ number: Int) -> Refusal {
        if code == "malformed_json" { return self }
        return Refusal(status, code, "Line \(number): \(message)")
    }

    /// Whether the client could have done better.
    var isClients: Bool { status < 500 }
}

extension Refusal {
    static let stopping = Refusal(503, "stopping", "The agent is shutting down. Try again later.", retryAfter: 5)
    static let tooManyConnections = Refusal(
        503,
        "too_many_connections",
        "All connections are in use. Reuse connections, or raise listen.max_connections.",
        retryAfter: 1
    )
    static let slow = Refusal(408, "timeout", "The request did not arrive in time. Send it again.")
    static let empty = Refusal(400, "empty_body", "The body is empty. Send the event as the body.")
    static let tooManyEvents = Refusal(
        413,
        "too_many_events",
        "The request has more events than listen.max_request_bytes allows at 64 bytes each. Send fewer at a time."
    )

    static func notAvailable(_ what: String) -> Refusal {
        Refusal(501, "not_available_yet", "\(what) is not available yet in this version of the agent.")
    }

    static func bodyTooLarge(limit: Int) -> Refusal {
        Refusal(413, "body_too_large", "The body is larger than \(limit) bytes. Send less at a time.")
    }

    static func eventTooLarge(bytes: Int, limit: Int, line: Int? = nil) -> Refusal {
        let which = line.map { "The event on line \($0)" } ?? "The event"
        return Refusal(
            413,
            "event_too_large",
            "\(which) has \(bytes) bytes of data and partition key; at most \(limit) are possible. Send smaller events."
        )
    }

    /// - Parameter firstLine: the number of the line that `text` begins with.
    init(_ fault: JSONFault, in text: UnsafeRawBufferPointer, firstLine: Int = 1) {
        let place = JSONFault.place(of: fault.offset, in: text)
        self.init(
            400,
            "malformed_json",
            "Line \(firstLine + place.line - 1), column \(place.column): \(fault.description). Nothing was kept."
        )
    }

    init(_ refusal: StreamRefusal) {
        switch refusal {
        case .invalidName(let name):
            self.init(
                404,
                "invalid_stream_name",
                "'\(name.prefix(140))' cannot be a stream's name, which has 1 to 128 of a-z, A-Z, 0-9, '_', '.', '-'."
            )
        case .notListed(let stream, let region, let nearest):
            let hint = nearest.map { " Did you mean '\($0)'?" } ?? ""
            self.init(
                404,
                "stream_not_listed",
                "The stream '\(stream.prefix(128))' in \(region.prefix(64)) is not configured.\(hint) Add a [[stream]] for it."
            )
        case .tooMany(let limit):
            self.init(
                404,
                "too_many_destinations",
                "All \(limit) destinations are in use. List the stream, or raise streams.max_destinations."
            )
        }
    }

    init(_ refusal: AppendRefusal) {
        switch refusal {
        case .queueFull(let used, let limit):
            self.init(
                507,
                "queue_full",
                "The queue is full (\(used) of \(limit) bytes). Try again later; 'agentctl status' shows what holds it.",
                retryAfter: 1
            )
        case .destinationFull(_, let used, let limit):
            self.init(
                507,
                "destination_full",
                "The stream's share of the queue is used up (\(used) of \(limit) bytes). Try again later.",
                retryAfter: 1
            )
        case .diskFull(let free, let limit):
            self.init(
                507,
                "disk_full",
                "The disk has \(free) bytes left and queue.min_free_disk keeps \(limit). Free some space.",
                retryAfter: 10
            )
        case .stopping:
            self = .stopping
        case .tampered(let path):
            self.init(
                503,
                "queue_tampered",
                "The queue file \(path) was deleted or replaced. Restart the agent.",
                retryAfter: 10
            )
        case .unknown(let message):
            self.init(
                500,
                "unknown",
                "The disk failed during the commit (\(message)). The events may or may not have been kept."
            )
        case .storage(let message):
            self.init(500, "storage", "The queue could not store the events (\(message)). Nothing was kept.")
        }
    }
}

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
    /// The codings in which a body may come, where it came in another one (RFC 9110 section 15.5.16).
    var acceptEncoding: String?
    /// What Amazon's APIs call it, where that does not follow from the status.
    var exception: String?

    init(
        _ status: Int,
        _ code: String,
        _ message: String,
        retryAfter: Int? = nil,
        allow: String? = nil,
        acceptEncoding: String? = nil
    ) {
        self.status = status
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
        self.allow = allow
        self.acceptEncoding = acceptEncoding
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
    static let stopping = Refusal(AppendRefusal.stopping)
    static let tooManyConnections = Refusal(
        503,
        "too_many_connections",
        "All connections are in use. Reuse connections, or raise listen.max_connections.",
        retryAfter: 1
    )
    static let slow = Refusal(408, "timeout", "The request did not arrive in time. Send it again.")
    static let crowdedOut = Refusal(
        408,
        "timeout",
        "The request came too slowly while others needed the memory (listen.memory). Send it again."
    )
    static let empty = Refusal(400, "empty_body", "The body is empty. Send the event as the body.")
    static let tooManyEvents = Refusal(
        413,
        "too_many_events",
        "The request has more events than listen.max_request_bytes allows at 256 bytes each. Send fewer at a time."
    )

    static let contentEncoding = Refusal(
        415,
        "content_encoding",
        "Compressed bodies are not available yet in this version of the agent. Send the body as it is.",
        acceptEncoding: "identity"
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
    /// - Parameter isWholeBody: whether `text` should be one JSON text, and nothing else is in the body.
    init(_ fault: JSONFault, in text: UnsafeRawBufferPointer, firstLine: Int = 1, isWholeBody: Bool = false) {
        let place = JSONFault.place(of: fault.offset, in: text)
        let hint =
            isWholeBody && fault.kind == .trailing
            ? " Several events in one body are sent as application/x-ndjson." : ""
        self.init(
            400,
            "malformed_json",
            "Line \(firstLine + place.line - 1), column \(place.column): \(fault.description). Nothing was kept.\(hint)"
        )
    }

    init(_ refusal: StreamRefusal) {
        let status = if case .invalidRegion = refusal { 400 } else { 404 }
        self.init(status, refusal.code, refusal.description)
    }

    init(_ refusal: AppendRefusal) {
        let (status, retryAfter): (Int, Int?) =
            switch refusal {
            case .queueFull, .destinationFull, .lastTenth: (507, 1)
            case .tooLarge: (413, nil)
            case .diskFull: (507, 10)
            case .keyReused: (422, nil)
            case .locked: (503, 2)
            case .stopping: (503, 5)
            case .tampered: (503, 10)
            case .unknown, .storage: (500, nil)
            }
        self.init(status, refusal.code, refusal.description, retryAfter: retryAfter)
    }
}

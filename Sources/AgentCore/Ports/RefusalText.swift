// SPDX-License-Identifier: Apache-2.0

extension AppendRefusal: CustomStringConvertible {
    /// A fixed word for programs.
    public var code: String {
        switch self {
        case .queueFull, .lastTenth: "queue_full"
        case .destinationFull: "destination_full"
        case .tooLarge: "request_too_large"
        case .locked: "queue_locked"
        case .diskFull: "disk_full"
        case .keyReused: "idempotency_key_reused"
        case .stopping: "stopping"
        case .tampered: "queue_tampered"
        case .unknown: "unknown"
        case .storage: "storage"
        }
    }

    /// A sentence for people that says what to do.
    public var description: String {
        switch self {
        case .queueFull(let used, let limit):
            "The queue is full (\(used) of \(limit) bytes). Try again later; 'agentctl status' shows what holds it."
        case .destinationFull(_, let used, let limit):
            "The stream's share of the queue, its max_bytes, is used up (\(used) of \(limit) bytes). Try again later."
        case .lastTenth(_, let used, let limit):
            "The queue is nearly full (\(used) of \(limit) bytes), and the last tenth of queue.max_bytes is kept for "
                + "streams that hold less than a tenth. Try again later; 'agentctl status' shows what holds it."
        case .tooLarge(let bytes, let limit):
            "The request takes \(bytes) bytes of the queue, of which it may take \(limit) at most. Send less at a time."
        case .locked(let path, let holder):
            "Another program (\(holder)) keeps the queue file \(path) locked. Nothing was kept. Try again later."
        case .diskFull(let free, let limit):
            "The disk has \(free) bytes left and queue.min_free_disk keeps \(limit). Free some space."
        case .keyReused:
            "Another request was sent with this key. Give each request a key of its own, and only its repeats the same one."
        case .stopping:
            "The agent is shutting down. Try again later."
        case .tampered(let path):
            "The queue file \(path) was deleted or replaced. Restart the agent."
        case .unknown(let message):
            "The disk failed during the commit (\(message)). The events may or may not have been kept."
        case .storage(let message):
            "The queue could not store the events (\(message)). Nothing was kept."
        }
    }
}

extension AppendRefusal {
    /// Whether the same request may be taken later, without anything being done but waiting.
    public var isForWantOfRoom: Bool {
        switch self {
        case .queueFull, .destinationFull, .lastTenth, .diskFull, .locked: true
        case .tooLarge, .keyReused, .stopping, .tampered, .unknown, .storage: false
        }
    }

    /// Whether the events of the request are turned away by it: not where the sender offers them again, all of them
    /// or, of a request that is too large, part by part.
    public func turnsAway(_ request: AppendRequest) -> Bool {
        guard request.waitsForRoom else { return true }
        if case .tooLarge = self { return request.events.count == 1 }
        return !isForWantOfRoom
    }
}

extension StreamRefusal: CustomStringConvertible {
    /// A fixed word for programs.
    public var code: String {
        switch self {
        case .invalidName: "invalid_stream_name"
        case .invalidRegion: "invalid_region"
        case .notListed: "stream_not_listed"
        case .tooMany: "too_many_destinations"
        }
    }

    /// A sentence for people that says what to do.
    public var description: String {
        switch self {
        case .invalidName(let name):
            "'\(SafeText.line(name, limit: 140))' cannot be a stream's name, which has 1 to 128 of a-z, A-Z, 0-9, '_', '.', '-'."
        case .invalidRegion(let region, let nearest):
            "'\(SafeText.line(region, limit: 64))' is not a region of AWS, such as us-east-1."
                + (nearest.map { " Did you mean '\($0)'?" } ?? "")
        case .notListed(let stream, let region, let nearest):
            "The stream '\(SafeText.line(stream, limit: 128))' in \(SafeText.line(region, limit: 64)) is not configured."
                + (nearest.map { " Did you mean '\($0)'?" } ?? "") + " Add a [[stream]] for it."
        case .tooMany(let limit):
            "All \(limit) destinations are in use. List the stream, or raise streams.max_destinations."
        }
    }
}

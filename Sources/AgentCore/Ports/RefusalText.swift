// SPDX-License-Identifier: Apache-2.0

extension AppendRefusal: CustomStringConvertible {
    /// A fixed word for programs.
    public var code: String {
        switch self {
        case .queueFull: "queue_full"
        case .destinationFull: "destination_full"
        case .diskFull: "disk_full"
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
            "The stream's share of the queue is used up (\(used) of \(limit) bytes). Try again later."
        case .diskFull(let free, let limit):
            "The disk has \(free) bytes left and queue.min_free_disk keeps \(limit). Free some space."
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

extension StreamRefusal: CustomStringConvertible {
    /// A fixed word for programs.
    public var code: String {
        switch self {
        case .invalidName: "invalid_stream_name"
        case .notListed: "stream_not_listed"
        case .tooMany: "too_many_destinations"
        }
    }

    /// A sentence for people that says what to do.
    public var description: String {
        switch self {
        case .invalidName(let name):
            "'\(name.prefix(140))' cannot be a stream's name, which has 1 to 128 of a-z, A-Z, 0-9, '_', '.', '-'."
        case .notListed(let stream, let region, let nearest):
            "The stream '\(stream.prefix(128))' in \(region.prefix(64)) is not configured."
                + (nearest.map { " Did you mean '\($0)'?" } ?? "") + " Add a [[stream]] for it."
        case .tooMany(let limit):
            "All \(limit) destinations are in use. List the stream, or raise streams.max_destinations."
        }
    }
}

// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// Writes JSON without a tree and without a table of keys: a tenth of what JSONEncoder takes for it.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    mutating func object(_ body: (inout JSONWriter) -> Void) { container("{", "}", body) }

    mutating func array(_ body: (inout JSONWriter) -> Void) { container("[", "]", body) }

    /// Begins a member; its value follows.
    mutating func name(_ name: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func member(_ name: StaticString, _ value: some FixedWidthInteger) {
        self.name(name)
        bytes.append(contentsOf: String(value).utf8)
        needsComma = true
    }

    /// A number that JSON cannot hold is written as 0.
    mutating func member(_ name: StaticString, _ value: Double) {
        self.name(name)
        let text = value.isFinite ? "\(value)" : "0"
        bytes.append(contentsOf: (text.hasSuffix(".0") ? text.dropLast(2) : text[...]).utf8)
        needsComma = true
    }

    /// `nil` is `null`.
    mutating func member(_ name: StaticString, _ value: String?) {
        self.name(name)
        if let value { JSONString.append(value, to: &bytes) } else { null() }
        needsComma = true
    }

    mutating func null() {
        bytes.append(contentsOf: "null".utf8)
        needsComma = true
    }

    private mutating func container(_ open: Unicode.Scalar, _ close: Unicode.Scalar, _ body: (inout JSONWriter) -> Void)
    {
        separate()
        bytes.append(UInt8(ascii: open))
        needsComma = false
        body(&self)
        bytes.append(UInt8(ascii: close))
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }
}

extension StatusReport {
    // Members in the order of their names, as JSONEncoder sorts them: a test compares the two.
    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.name("agent")
            agent.write(to: &writer)
            writer.name("queue")
            queue.write(to: &writer)
            writer.name("streams")
            writer.array { writer in
                for stream in streams { stream.write(to: &writer) }
            }
            writer.name("totals")
            totals.write(to: &writer)
        }
    }
}

extension StatusReport.Agent {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("pid", pid)
            writer.name("problems")
            writer.array { writer in
                for problem in problems { problem.write(to: &writer) }
            }
            writer.member("state", state.rawValue)
            writer.member("uptime_seconds", uptimeSeconds)
            writer.member("version", version)
        }
    }
}

extension StatusReport.Queue {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("bytes", bytes)
            writer.member("dead_letters", deadLetters)
            writer.member("events", events)
            writer.member("max_bytes", maxBytes)
            writer.member("oldest_age_seconds", oldestAgeSeconds)
        }
    }
}

extension StatusReport.Totals {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("accepted", accepted)
            writer.member("dead_lettered", deadLettered)
            writer.member("delivered", delivered)
            writer.member("evicted", evicted)
            writer.member("expired", expired)
            writer.member("lost", lost)
            writer.member("refused", refused)
        }
    }
}

extension StatusReport.Stream {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("dead_letters", deadLetters)
            writer.member("delivered", delivered)
            writer.member("in_flight", inFlight)
            writer.name("last_error")
            if let lastError { lastError.write(to: &writer) } else { writer.null() }
            writer.member("limited_by", limitedBy)
            writer.member("name", name)
            writer.member("oldest_age_seconds", oldestAgeSeconds)
            writer.member("queued_bytes", queuedBytes)
            writer.member("queued_events", queuedEvents)
            writer.member("refused", refused)
            writer.member("region", region)
            writer.member("retries", retries)
            writer.member("state", state.rawValue)
            writer.member("throttled", throttled)
        }
    }
}

extension StatusReport.Problem {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("at", at)
            writer.member("code", code)
            writer.member("message", message)
            writer.member("remedy", remedy)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Glibc
internal import KinesisLocal

/// `NAME:SHARDS`, or `NAME` with one shard; `NAME` may have a range of numbers in it, as in `clicks-[00-49]`.
struct StreamArgument: ExpressibleByArgument {
    let names: [String]
    let shards: Int

    init?(argument: String) {
        let parts = argument.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = parts.first, !name.isEmpty, let shards = parts.count > 1 ? Int(parts[1]) : 1 else {
            return nil
        }
        guard let names = Self.names(name) else { return nil }
        self.names = names
        self.shards = shards
    }

    private static func names(_ text: Substring) -> [String]? {
        guard let start = text.firstIndex(of: "[") else { return [String(text)] }
        guard let end = text.lastIndex(of: "]"), start < end else { return nil }
        let bounds = text[text.index(after: start)..<end].split(separator: "-", omittingEmptySubsequences: false)
        guard bounds.count == 2, let first = Int(bounds[0]), let last = Int(bounds[1]), first <= last,
            last - first < 100_000
        else { return nil }
        return (first...last).map { number in
            let digits = String(number)
            let padding = String(repeating: "0", count: max(0, bounds[0].count - digits.count))
            return text[..<start] + padding + digits + text[text.index(after: end)...]
        }
    }
}

/// `90s`, `5m`, `1h`, or with a minus before it.
struct TimeOffset: ExpressibleByArgument, CustomStringConvertible {
    let seconds: Int64

    init(seconds: Int64) { self.seconds = seconds }

    init?(argument: String) {
        guard let unit = argument.last, let factor: Int64 = ["s": 1, "m": 60, "h": 3600][unit],
            let count = Int64(argument.dropLast()), (-1_000_000...1_000_000).contains(count)
        else { return nil }
        seconds = count * factor
    }

    var description: String { "\(seconds)s" }
}

@main
struct KinesisLocalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kinesis-local",
        abstract: "A Kinesis-compatible server on loopback, for trying out and for tests.",
        discussion: """
            Prints one line with its address on standard output when it is ready. Streams live in memory and end with \
            it. Where it differs from the service: streams are ACTIVE at once, reads are not throttled, and only \
            JSON 1.1 is spoken.

            On the same port, unsigned, for tests (paths under /_control):

              POST faults         add fault rules: one JSON object, or an array
              GET faults          the rules; how often each matched and fired
              DELETE faults[/ID]  remove all rules, or one
              POST outage         {"for_ms":N}: nobody listens, streams stay
              POST reshard        {"stream":S,"shards":N}, or instead of shards
                                  "split":SHARD or "merge":[SHARD,SHARD]
              GET journal         accepted records in order, a line of JSON each
                                  ?from=INDEX&limit=N&stream=S
                                  &data=base64|sha256|none; "answered":
                                  whether the client was told
              GET stats           what was asked, accepted, throttled and
                                  refused, also by shard
                                  ?stream=S, ?streams=none
              PUT access-key      {"access_key":A,"secret_key":S,
                                  "session_token":T}

            A rule is {"action":A}, with A one of fail_record, limit, error, status, reset, reset_unread, hang, \
            delay, garbage, truncate, wrong_count, contradict, close, refuse, clock, slow_read, outage, reshard. It \
            may say

              to which    operation ("*": all; default: puts), stream, shard,
                          partition_key, data_contains, min_bytes, expects
              how often   probability, seed, skip, count, after_ms, for_ms
              what        code, message, status, body, headers, unread,
                          stored, delay_ms, retry_after_ms, entries, how,
                          offset_seconds, records_per_second,
                          bytes_per_second, shards, split, merge

            limit holds a shard to records_per_second and bytes_per_second, 0 for none. status is an answer of \
            something on the way, without the service's request id; with "unread" it comes before the body is read. \
            expects: only requests that wait for 100 Continue. how, of contradict, is empty_error_code, error_code, \
            number, no_members, failed_count or count_as_text. As examples, a proxy that takes 1 MiB at most, one \
            that knows no Expect, and a service that is overloaded:

              {"action":"status","status":413,"min_bytes":1048577,
               "unread":true,"body":"<html>Too Large</html>"}
              {"action":"status","status":417,"expects":true,
               "unread":true}
              {"action":"status","status":503,"operation":"*",
               "retry_after_ms":5000,"headers":{"Retry-After":"5"}}
            """
    )

    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port to listen on; 0 for any free one.")
    var port: UInt16 = 4567

    @Option(
        help: ArgumentHelp(
            "A stream to begin with; may be repeated. name-[00-49]:1 makes fifty.",
            valueName: "name:shards"
        )
    )
    var stream: [StreamArgument] = []

    @Option(help: "The region of ARNs. Signatures may be for any.")
    var region = "us-east-1"

    @Option(help: "The access key that requests must be signed with.")
    var accessKey = "test"

    @Option(help: "The secret key that requests must be signed with.")
    var secretKey = "test"

    @Option(help: "The session token that requests must bring.")
    var sessionToken: String?

    @Flag(name: .customLong("no-auth"), help: "Take unsigned requests, and do not check signatures.")
    var noAuth = false

    @Flag(help: "Throttle each shard to 1000 records and 1 MiB a second.")
    var throttle = false

    @Option(help: ArgumentHelp("Throttle each shard to so many records a second; 0: to none.", valueName: "records"))
    var shardRecords: Int?

    @Option(help: ArgumentHelp("Throttle each shard to so much data and keys a second.", valueName: "bytes"))
    var shardBytes: Int?

    @Option(
        help: ArgumentHelp(
            "Read no more than so much of all requests a second, as behind a slow link.",
            valueName: "bytes"
        )
    )
    var uplink: Int?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How far the server's clock is ahead: 90s, 5m, 1h, -1h.", valueName: "time")
    )
    var clockOffset = TimeOffset(seconds: 0)

    @Option(help: ArgumentHelp("The largest data plus partition key of a record.", valueName: "bytes"))
    var maxRecordSize = 1_048_576

    @Option(help: ArgumentHelp("Let go of a shard's oldest records beyond so much.", valueName: "bytes"))
    var retain: Int?

    @Flag(help: "Count records, but do not keep them: nothing can be read back.")
    var discard = false

    @Option(help: ArgumentHelp("Append a line of JSON for every accepted record.", valueName: "file"))
    var journal: String?

    @Option(help: ArgumentHelp("Fault rules in force from the start, as a JSON array.", valueName: "file"))
    var faults: String?

    @Option(help: "The seed of faults that have none of their own.")
    var seed: UInt64 = 0

    func validate() throws {
        guard (1...10 << 20).contains(maxRecordSize) else {
            throw ValidationError("--max-record-size must be 1...10485760 bytes.")
        }
        for (name, rate) in [("records", shardRecords), ("bytes", shardBytes)]
        where !KinesisServer.shardRates.contains(rate ?? 0) {
            throw ValidationError("--shard-\(name) must be 0...\(KinesisServer.shardRates.upperBound).")
        }
        if let uplink, uplink < 1 { throw ValidationError("--uplink must be at least 1.") }
        if let retain, retain < 0 { throw ValidationError("--retain must not be negative.") }
    }

    func run() async throws {
        // A client that went away is an error of its connection, not the end of the server.
        signal(SIGPIPE, SIG_IGN)
        // Nothing is to be put in order at the end: memory goes, and the journal is written with each request.
        for ending in [SIGTERM, SIGINT] { signal(ending) { _ in _exit(0) } }
        var options = KinesisServer.Options()
        options.host = host
        options.port = Int(port)
        options.streams = stream.flatMap { stream in stream.names.map { ($0, stream.shards) } }
        options.region = region
        options.accessKey = noAuth ? nil : AccessKey(id: accessKey, secret: secretKey, sessionToken: sessionToken)
        options.throttles = throttle
        options.shardRecordsPerSecond = shardRecords
        options.shardBytesPerSecond = shardBytes
        options.uplinkBytesPerSecond = uplink
        options.clockOffsetSeconds = clockOffset.seconds
        options.maxRecordBytes = maxRecordSize
        options.retainBytes = retain
        options.discards = discard
        options.journalPath = journal
        options.faultsPath = faults
        options.seed = seed
        let server = try await KinesisServer.start(options)
        print("kinesis-local: listening on \(server.endpoint)")
        fflush(nil)
        while true { try await Task.sleep(for: .seconds(86_400)) }
    }
}

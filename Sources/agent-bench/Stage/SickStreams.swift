// SPDX-License-Identifier: Apache-2.0

/// Streams in trouble, each of another kind, for ever.
struct SickStreams {
    struct Stream {
        let name: String
        /// `nil`: that of all.
        var endpoint: String?
        /// Whether kinesis-local has it.
        var exists = true
        /// All its events have one key.
        var isHot = false
    }

    private(set) var streams: [Stream] = []
    /// Rules of kinesis-local.
    let faults: String
    private var servers: [SilentServer] = []

    /// - Parameter hanging: How many endpoints never answer.
    init(hanging: Int) throws(BenchError) {
        streams = [
            Stream(name: "hot", isHot: true), Stream(name: "throttled"), Stream(name: "missing", exists: false),
            Stream(name: "expired"), Stream(name: "denied"), Stream(name: "failing"), Stream(name: "poisoned"),
        ]
        func error(_ stream: String, _ code: String) -> String {
            #"{"action":"error","stream":"\#(stream)","code":"\#(code)","message":"A fault of the benchmark."}"#
        }
        let rules = [
            // A key at a hundred times what its shard takes.
            #"{"action":"fail_record","stream":"hot","probability":0.99}"#,
            #"{"action":"fail_record","stream":"throttled"}"#,
            error("expired", "ExpiredTokenException"),
            error("denied", "AccessDeniedException"),
            error("failing", "InternalFailure"),
            // The event with this number, and no other.
            #"{"action":"error","stream":"poisoned","data_contains":"\"id\":\"0000000100\"","#
                + #""code":"InvalidArgumentException","message":"A fault of the benchmark."}"#,
        ]
        faults = "[" + rules.joined(separator: ",\n") + "]\n"
        for number in 0..<hanging {
            let server = try SilentServer()
            servers.append(server)
            streams.append(Stream(name: "hanging-\(number)", endpoint: "http://127.0.0.1:\(server.port)"))
        }
    }

    /// Their tables in the agent's settings.
    var configuration: String {
        streams.map { stream in
            "\n[[stream]]\nname = \"\(stream.name)\"\n" + (stream.endpoint.map { "endpoint = \"\($0)\"\n" } ?? "")
        }.joined()
    }
}

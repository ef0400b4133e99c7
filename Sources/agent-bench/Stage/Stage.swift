// SPDX-License-Identifier: Apache-2.0

/// agentd and kinesis-local on scratch files: what a benchmark runs on. Both are stopped, and the files removed, with it.
final class Stage {
    private static let startSeconds = 60.0
    private static let stopSeconds = 30.0

    let directory: ScratchDirectory
    private let programs: Programs
    private let settings: AgentSettings
    private let httpPort: UInt16
    private let kinesisPort: UInt16
    private var agent: ChildProcess?
    private var kinesis: LocalKinesis?

    /// Starts nothing yet.
    init(_ programs: Programs, _ settings: AgentSettings, directory: ScratchDirectory) throws(BenchError) {
        self.programs = programs
        self.settings = settings
        self.directory = directory
        httpPort = try Address.freePort()
        kinesisPort = try Address.freePort()
        let text = settings.configuration(in: directory, httpPort: httpPort, kinesisPort: kinesisPort)
        try directory.write(text, to: "agent.conf")
    }

    deinit {
        agent?.end(within: Self.stopSeconds)
    }

    var target: Target {
        Target(
            http: .tcp(host: "127.0.0.1", port: httpPort),
            lines: .unix(path: directory.file("ingest.sock")),
            control: directory.file("control.sock"),
            agent: agent?.pid,
            kinesis: kinesis?.figures
        )
    }

    var queueFileBytes: Int { directory.size("queue.db") }
    var writeAheadLogBytes: Int { directory.size("queue.db-wal") }

    // MARK: Kinesis

    /// Without it the agent is on a machine that is offline.
    func startKinesis() throws(BenchError) {
        var arguments = ["--stream", "\(settings.stream):\(settings.shards)", "--discard"]
        for streams in settings.others where streams.endpoint == nil && !streams.numbers.isEmpty {
            arguments += ["--stream", "\(streams.pattern):\(settings.shards)"]
        }
        if let sick = settings.sick {
            for stream in sick.streams where stream.exists && stream.endpoint == nil {
                arguments += ["--stream", "\(stream.name):1"]
            }
            try directory.write(sick.faults, to: "faults.json")
            arguments += ["--faults", directory.file("faults.json")]
        }
        kinesis = try startKinesis("kinesis-local", port: kinesisPort, arguments)
    }

    /// One that is not the agent's first; the caller keeps it, and so keeps it running.
    func startKinesis(_ name: String, port: UInt16, _ arguments: [String]) throws(BenchError) -> LocalKinesis {
        try LocalKinesis(programs.kinesisLocal, port: port, arguments, log: directory.file("\(name).log"))
    }

    // MARK: The agent

    /// - Returns: Nanoseconds from the start of the program until it said to its service manager that it is ready.
    @discardableResult
    func startAgent() throws(BenchError) -> UInt64 {
        let readiness = try ReadinessSocket(path: directory.file("notify.sock"))
        let child = try ChildProcess(
            programs.agentd,
            ["--config", directory.file("agent.conf")],
            environment: [
                "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "NOTIFY_SOCKET": readiness.path,
            ],
            log: directory.file("agentd.log")
        )
        agent = child
        return try readiness.wait(for: child, seconds: Self.startSeconds) - child.startedAt
    }

    func stopAgent() throws(BenchError) {
        guard let agent else { return }
        guard agent.end(within: Self.stopSeconds) else {
            throw agent.failure("did not stop within \(Int(Self.stopSeconds)) s and was killed")
        }
        self.agent = nil
    }

    func killAgent() {
        agent?.kill()
        agent = nil
    }
}

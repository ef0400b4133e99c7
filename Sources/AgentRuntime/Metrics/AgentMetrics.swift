// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentCore
internal import AgentKinesis
internal import AgentQueue
internal import AgentSystemd
internal import Dispatch
internal import Glibc

/// Makes the text of `GET /metrics`, on a queue of its own: neither event loops, nor the writer, nor delivery wait for
/// it. Any thread.
final class AgentMetrics: Sendable {
    private let registry: MetricRegistry
    private let core: Core
    private let condition: AgentCondition
    private let queuePath: String
    private let gathering = DispatchQueue(label: "agentd.metrics")

    init(registry: MetricRegistry, core: Core, condition: AgentCondition, queuePath: String) {
        self.registry = registry
        self.core = core
        self.condition = condition
        self.queuePath = queuePath
    }

    /// - Parameter reply: called on a thread of Dispatch.
    func page(_ reply: @escaping @Sendable ([UInt8]) -> Void) {
        gathering.async { [self] in reply(PrometheusText.text(of: families())) }
    }

    private func families() -> [MetricFamily] {
        let snapshot = core.store.snapshot()
        return agent(snapshot) + StreamMetrics(snapshot: snapshot, delivery: core.delivery.lastStatus).families
            + file(snapshot) + registry.families + aws() + process()
    }

    private func agent(_ snapshot: QueueSnapshot) -> [MetricFamily] {
        let report = condition.report(snapshot: snapshot)
        var state = MetricFamily("agentd_state", .gauge, "1 for the state that the agent is in.")
        for (each, word) in [
            (StatusReport.AgentState.running, "running"), (.draining, "draining"), (.degraded, "degraded"),
        ] {
            state.add(report.state == each ? 1 : 0, [MetricLabel("state", word)])
        }
        var problems = MetricFamily("agentd_problem", .gauge, "1 for each problem that 'agentctl status' shows.")
        for problem in report.problems { problems.add(1, [MetricLabel("code", problem.code)]) }
        let build = MetricFamily(
            "agentd_build_info",
            .gauge,
            "1; the version is a label.",
            [MetricFamily.Sample([MetricLabel("version", agentVersion)], .number(1))]
        )
        return [build, state, problems]
    }

    private func file(_ snapshot: QueueSnapshot) -> [MetricFamily] {
        var families = [
            MetricFamily("agentd_queue_max_bytes", .gauge, "What queue.max_bytes allows.", Double(snapshot.maxBytes))
        ]
        func size(_ path: String, _ name: String, _ help: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return }
            families.append(MetricFamily(name, .gauge, help, Double(status.st_size)))
        }
        size(queuePath, "agentd_queue_file_bytes", "Size of the queue file.")
        size(queuePath + "-wal", "agentd_queue_wal_bytes", "Size of its write-ahead log.")
        var system = statvfs()
        if statvfs(queuePath, &system) == 0 {
            let free = Double(system.f_bavail) * Double(system.f_frsize)
            families.append(
                MetricFamily(
                    "agentd_queue_disk_free_bytes",
                    .gauge,
                    "What the file system of the queue has left.",
                    free
                )
            )
        }
        return families
    }

    private func aws() -> [MetricFamily] {
        var available = MetricFamily("agentd_credentials_available", .gauge, "Whether there are AWS credentials.")
        var expiry = MetricFamily(
            "agentd_credentials_expiry_timestamp_seconds",
            .gauge,
            "When the credentials end, in seconds since 1970; none where they do not."
        )
        for (identity, credentials) in core.keepers.states {
            let labels = [MetricLabel("identity", identity.name)]
            available.add(credentials == nil ? 0 : 1, labels)
            if let end = credentials?.expiration { expiry.add(Double(end.milliseconds) / 1000, labels) }
        }
        var offset = MetricFamily(
            "agentd_endpoint_clock_offset_seconds",
            .gauge,
            "How far the clock of an endpoint is ahead of this machine's, to the second."
        )
        for (endpoint, ahead) in core.clocks.offsets().prefix(Self.mostEndpoints) {
            offset.add(ahead.inSeconds, [MetricLabel("endpoint", endpoint)])
        }
        return [available, expiry, offset]
    }

    private static let mostEndpoints = 50

    private func process() -> [MetricFamily] {
        let figures = ProcessFigures.current
        let descriptors = Double(DescriptorLimit.inUse)
        var families = [
            MetricFamily("agentd_process_open_fds", .gauge, "Descriptors that are open.", descriptors),
            MetricFamily(
                "agentd_process_cpu_seconds_total",
                .counter,
                "Time on processors.",
                figures.processorSeconds
            ),
            MetricFamily(
                "agentd_log_dropped_lines_total",
                .counter,
                "Log lines that were dropped because nobody read the log.",
                Double(LogBuffer.stderr.dropped)
            ),
        ]
        func add(_ name: String, _ help: String, _ value: Double?) {
            if let value { families.append(MetricFamily(name, .gauge, help, value)) }
        }
        add(
            "agentd_process_max_fds",
            "Descriptors that may be open.",
            (DescriptorLimit.current?.soft).map { Double($0) }
        )
        add("agentd_process_start_time_seconds", "When the process began, since 1970.", figures.startTime)
        add(
            "agentd_process_resident_memory_bytes",
            "Memory of the process that is in RAM.",
            figures.residentBytes.map { Double($0) }
        )
        return families
    }
}

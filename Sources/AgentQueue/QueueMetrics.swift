// SPDX-License-Identifier: Apache-2.0
public import AgentCore

/// What is counted of the queue file, once a commit. Any thread.
public final class QueueMetrics: Sendable {
    let commitDuration: Histogram
    let commitRows: Histogram
    let commitFailures: Counter
    let checkpoints: Counter
    let checkpointsPut: Counter
    let checkpointDuration: Histogram
    let deliveryAge: Histogram

    public init(_ registry: MetricRegistry) {
        commitDuration = registry.histogram(
            "agentd_commit_duration_seconds",
            "How long a transaction took, from its begin to when it was on the disk.",
            .ofDurations(milliseconds: [0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000])
        )
        commitRows = registry.histogram(
            "agentd_commit_rows",
            "Events that a transaction appended, settled, buried or removed.",
            .ofCounts([1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000])
        )
        commitFailures = registry.counter(
            "agentd_commit_failures_total",
            "Transactions that failed, were taken back, or of which it is not known."
        )
        let help = "Attempts to move the WAL into the database; of those put off, another program was reading."
        checkpoints = registry.counter("agentd_checkpoints_total", help, [MetricLabel("result", "done")])
        checkpointsPut = registry.counter("agentd_checkpoints_total", help, [MetricLabel("result", "put_off")])
        checkpointDuration = registry.histogram(
            "agentd_checkpoint_duration_seconds",
            "How long such an attempt took.",
            .ofDurations(milliseconds: [1, 2, 5, 10, 20, 50, 100, 500, 2000])
        )
        deliveryAge = registry.histogram(
            "agentd_delivery_duration_seconds",
            "From acceptance to deletion after delivery, of the oldest event of a stream: once for each settlement that "
                + "has it.",
            .ofDurations(milliseconds: [
                5, 10, 20, 50, 100, 200, 500, 1000, 5000, 30_000, 300_000, 3_600_000, 86_400_000,
            ])
        )
    }
}

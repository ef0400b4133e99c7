// SPDX-License-Identifier: Apache-2.0
internal import AgentIngest
internal import AgentQueue

// What the parts of the agent are told of the settings.

extension Settings {
    var queueSettings: QueueSettings {
        var result = QueueSettings(path: queue.path)
        result.maxBytes = Int64(queue.maxBytes)
        result.minFreeDisk = Int64(queue.minFreeDisk)
        result.whenFull = queue.whenFull
        result.maxAge = queue.maxAge == .zero ? nil : queue.maxAge
        result.durability = queue.durability
        result.idempotencyWindowMS = listen.idempotencyWindow.components.seconds * 1000
        result.maxDeadLetterBytes = Int64(queue.deadLetterMaxBytes)
        return result
    }

    /// - Parameter connections: how many there are descriptors for.
    func ingestSettings(connections: Int) -> IngestSettings {
        var result = IngestSettings()
        result.http = listen.http?.description ?? ""
        result.socketPath = listen.socket
        result.maxEventBytes = listen.maxEventBytes
        result.maxRequestBytes = listen.maxRequestBytes
        result.putWait = listen.putWait
        result.kinesisAPI = listen.kinesisAPI
        result.maxConnections = connections
        result.idleTimeout = listen.idleTimeout
        result.headTimeout = min(result.headTimeout, listen.idleTimeout)
        result.bodyTimeout = min(result.bodyTimeout, listen.idleTimeout)
        result.memoryBytes = listen.memory
        result.defaultStream = streams.default
        result.allowedHosts = listen.allowedHosts
        result.allowedOrigins = listen.allowedOrigins
        return result
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentCore
internal import AgentIngest
internal import Logging

/// The ways in: events, and operators.
struct Doors: Sendable {
    let ingest: IngestServer
    let control: ControlServer

    /// - Throws: what could not be listened on; then nothing is.
    static func open(
        _ settings: Settings,
        _ sockets: InheritedSockets,
        connections: Int,
        core: Core,
        metrics: MetricRegistry,
        news: News,
        condition: AgentCondition,
        log: Logger
    ) async throws -> Doors {
        let page = AgentMetrics(
            registry: metrics,
            core: core,
            condition: condition,
            queuePath: settings.queue.path
        )
        let ingest = try await IngestServer.start(
            settings.ingestSettings(connections: connections),
            queue: core.store,
            directory: core.catalog,
            inherited: sockets.ingest,
            readiness: { condition.readiness },
            metricsPage: page.page,
            metrics: IngestMetrics(metrics),
            onFault: { log.error("connection not accepted", metadata: ["message": "\($0)"]) },
            onNotice: news.notice,
            stoppedWaiting: core.delivery.stoppedWaiting
        )
        let service = ControlService(
            store: core.store,
            delivery: core.delivery,
            catalog: core.catalog,
            flusher: core.flusher,
            condition: condition
        )
        do {
            let control =
                if let descriptor = sockets.control {
                    ControlServer(listening: descriptor, handlers: service.handlers)
                } else {
                    try ControlServer(path: settings.listen.controlSocket, handlers: service.handlers)
                }
            control.start()
            tellOverruled(settings, sockets, ingest, log)
            return Doors(ingest: ingest, control: control)
        } catch {
            await ingest.shutDown()
            throw Self.words(error)
        }
    }

    /// Where the service manager listens elsewhere than the settings say, which somebody may not expect.
    private static func tellOverruled(
        _ settings: Settings,
        _ sockets: InheritedSockets,
        _ ingest: IngestServer,
        _ log: Logger
    ) {
        func tell(_ key: String, _ set: String, _ used: String?, unit: String) {
            guard let used, used != set else { return }
            log.warning(
                "a setting does not count, because the service manager listens",
                metadata: [
                    "setting": "\(key)", "address": "\(used)",
                    "remedy": "set ListenStream= of \(unit), or disable that unit",
                ]
            )
        }
        if sockets.hasHTTP {
            tell("listen.http", settings.listen.http?.description ?? "", ingest.httpAddress, unit: "agentd-http.socket")
        }
        if sockets.hasUnix {
            tell("listen.socket", settings.listen.socket, ingest.socketPath, unit: "agentd-ingest.socket")
        }
    }

    private static func words(_ error: UnixSocketError) -> StartError {
        switch error {
        case .system(_, let path, let number):
            StartError(
                "Cannot listen on \(path): \(systemMessage(number)). Let the agent write to its folder, or set another "
                    + "listen.control_socket."
            )
        case .badPath, .inUse, .notASocket: StartError("\(error)")
        }
    }

    /// Takes no new client, and gives those that are there until `limit` to end what they have begun.
    func closeIntake(within limit: Duration) async {
        await ingest.stopAccepting()
        await ingest.drain(within: limit)
    }
}

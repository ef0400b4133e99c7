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
            let control = try ControlServer(path: settings.listen.controlSocket, handlers: service.handlers)
            control.start()
            return Doors(ingest: ingest, control: control)
        } catch {
            await ingest.shutDown()
            throw Self.words(error)
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

// SPDX-License-Identifier: Apache-2.0
internal import AgentIngest
internal import AgentSystemd
internal import Dispatch
internal import Logging

extension News {
    /// What intake notices.
    func notice(_ notice: IngestNotice) {
        switch notice {
        case .memoryShort(let closed):
            log.warning(
                "slow clients were cut off",
                metadata: [
                    "connections": "\(closed)",
                    "remedy": "find clients that begin requests and do not finish them, or raise listen.memory",
                ]
            )
            condition.raise(
                "intake_memory_short",
                "Clients hold much of listen.memory with requests that they do not finish. Some were cut off.",
                remedy: "Find clients that begin requests or lines and do not finish them, or raise listen.memory."
            )
        case .memoryEnough: condition.clear("intake_memory_short")
        case .memoryFreed: DispatchQueue.global().async { ProcessMemory.giveBack() }
        case .cannotAccept(let reason):
            condition.raise(
                "connections_not_accepted",
                "Connections cannot be accepted: \(reason).",
                remedy: "Raise the limit of open files (LimitNOFILE= of the unit), or lower listen.max_connections."
            )
        case .acceptsAgain: condition.clear("connections_not_accepted")
        case .connectionsUsedUp(let turnedAway):
            log.warning(
                "clients were turned away",
                metadata: [
                    "clients": "\(turnedAway)",
                    "remedy": "have clients reuse connections, or raise listen.max_connections",
                ]
            )
            condition.raise(
                "connections_used_up",
                "All connections are in use, and none of them is idle. New clients are turned away.",
                remedy: "Have clients reuse their connections, or raise listen.max_connections."
            )
        case .connectionsFree: condition.clear("connections_used_up")
        case .tlsMet(let connections):
            log.warning(
                "clients that speak TLS were turned away: agentd speaks plain HTTP",
                metadata: ["connections": "\(connections)", "remedy": "give them an http:// address"]
            )
        }
    }
}

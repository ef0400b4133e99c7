// SPDX-License-Identifier: Apache-2.0

/// The time that ages are counted in: the time the agent ran, and the time it was down where that is known.
///
/// Events never get older because somebody set the wall clock. Between two runs on one boot the machine's own
/// uptime tells how long the agent was down; across boots the wall clock does, if it was set from a trusted source
/// both times. Otherwise the time between counts as none: nothing expires that should not.
struct AgentClock: Sendable {
    /// What is stored beside every commit.
    struct Mark: Hashable, Sendable {
        /// On the agent's clock.
        var agentMS: Int64
        var wallMS: Int64
        var isWallTrusted: Bool
        /// Identifies the boot that `uptimeNS` belongs to.
        var boot: String
        var uptimeNS: Int64
    }

    private let startMS: Int64
    private let startNS: Int64

    /// A new file's clock starts at the wall's time, so that its numbers look familiar.
    init(startingAt wallMS: Int64, uptimeNS: Int64) {
        startMS = wallMS
        startNS = uptimeNS
    }

    init(resuming mark: Mark, wallMS: Int64, isWallTrusted: Bool, boot: String, uptimeNS: Int64) {
        let down: Int64 =
            if !boot.isEmpty, boot == mark.boot {
                (uptimeNS - mark.uptimeNS) / 1_000_000
            } else if isWallTrusted, mark.isWallTrusted {
                wallMS - mark.wallMS
            } else {
                0
            }
        startMS = mark.agentMS + max(0, down)
        startNS = uptimeNS
    }

    /// Never goes back while the monotonic clock does not.
    func now(uptimeNS: Int64) -> Int64 { startMS + (uptimeNS - startNS) / 1_000_000 }
}

// SPDX-License-Identifier: Apache-2.0

/// The keys of `[log]`, in the order of agent.conf.example.
struct LogKeys: SettingKeys {
    static let list = SettingList("log", LogKeys())

    let level: Setting<LogLevel> = .choice(
        "level",
        default: .info,
        needsRestart: false,
        about: """
            The least that is logged. Warning: something is odd, nothing is lost. Error: events were lost, or a \
            person is needed.
            """,
        risk: "Above \"info\" the log no longer tells when streams stop and start; events are never in it."
    )
}

enum LogLevel: String, Sendable, CaseIterable {
    case trace, debug, info, notice, warning, error
}

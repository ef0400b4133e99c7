// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// The keys of `[streams]`, in the order of agent.conf.example.
struct StreamsKeys: SettingKeys {
    static let list = SettingList("streams", StreamsKeys())

    let accept: Setting<AcceptedStreams> = .choice(
        "accept",
        default: .listed,
        needsRestart: false,
        about: """
            Which streams take events: those listed below, or any name that a request gives, with the defaults \
            of [[stream]].
            """,
        risk: "With \"any\" a misspelt name is accepted, and its events wait for a stream that does not exist."
    )

    let maxDestinations: Setting<Int> = .count(
        "max_destinations",
        default: 256,
        in: 1...10_000,
        needsRestart: false,
        about: "How many streams \"any\" may come to, listed ones included. Events for more are refused.",
        risk: "Nothing is lost; a destination takes a table of the queue file, and memory while it has events."
    )

    /// `nil`: none.
    let `default`: Setting<StreamReference?> = .text(
        "default",
        default: nil,
        "\"\" or a stream, as \"clicks\" or \"clicks@eu-west-1\"",
        parse: SettingText.streamOrNone,
        print: { $0?.description ?? "" },
        needsRestart: false,
        about: "The stream of lines on the Unix socket that name none. \"\" refuses such lines.",
        risk: "Lines whose author forgot the stream go there."
    )
}

enum AcceptedStreams: String, Sendable, CaseIterable {
    case listed, any
}

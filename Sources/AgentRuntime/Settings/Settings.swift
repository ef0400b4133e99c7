// SPDX-License-Identifier: Apache-2.0

// What an operator can set, as the program uses it: checked, in native units, with nothing left to look up.
//
//     agent.conf ──SettingsDocument──▶ values and their places ──Setting──▶ Settings, or every fault of the file
//
// Each setting is declared once, in Keys: its key, default, range, meaning, and whether a change needs a restart.
// Reading, range checks, hints for misspelt names, agent.conf.example and `settings.queue.maxBytes` all follow from
// that.

/// The settings of an agent. Sizes are in bytes.
public struct Settings: Sendable, Equatable {
    typealias Stream = SettingTable<StreamKeys>

    var queue = SettingTable<QueueKeys>()
    var listen = SettingTable<ListenKeys>()
    var delivery = SettingTable<DeliveryKeys>()
    var aws = SettingTable<AWSKeys>()
    var streams = SettingTable<StreamsKeys>()
    var log = SettingTable<LogKeys>()
    /// One for each `[[stream]]`, in the order of the file; no two with the same name and region.
    var stream: [Stream] = []

    /// In the order of agent.conf.example.
    static let sections: [SettingsSection] = [
        SettingsSection(\.queue), SettingsSection(\.listen), SettingsSection(\.delivery), SettingsSection(\.aws),
        SettingsSection(\.streams), SettingsSection(\.log),
    ]

    /// The defaults, without any stream.
    public init() {}
}

/// A section of the file, as `[queue]`.
struct SettingsSection: Sendable {
    let name: String
    let settings: [any AnySetting]
    /// Of the section's settings, the one with this key.
    let setting: @Sendable (String) -> (any AnySetting)?
    let read: @Sendable (SettingValue, any AnySetting, inout Settings) throws(SettingRefusal) -> Void
    /// What a setting is set to, as the file would have it.
    let text: @Sendable (any AnySetting, Settings) -> String

    init<Keys>(_ table: any WritableKeyPath<Settings, SettingTable<Keys>> & Sendable) {
        name = Keys.list.section
        settings = Keys.list.all
        setting = { Keys.list[$0] }
        read = { value, setting, root throws(SettingRefusal) in
            try setting.read(value, into: &root[keyPath: table])
        }
        text = { setting, root in setting.text(in: root[keyPath: table]) }
    }

    /// With the section, as `queue.max_bytes`.
    func key(_ setting: any AnySetting) -> String { "\(name).\(setting.name)" }

    static var keys: [String] { Settings.sections.flatMap { section in section.settings.map(section.key) } }
}

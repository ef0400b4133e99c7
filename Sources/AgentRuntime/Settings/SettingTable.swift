// SPDX-License-Identifier: Apache-2.0

/// The keys of a section: each property is a ``Setting``, in the order of agent.conf.example.
protocol SettingKeys: Sendable {
    static var list: SettingList<Self> { get }
}

/// The settings that a section may have.
struct SettingList<Keys: Sendable>: Sendable {
    /// As the file names it.
    let section: String
    let keys: Keys
    /// In the order of their declaration.
    let all: [any AnySetting]
    private let byName: [String: any AnySetting]

    init(_ section: String, _ keys: Keys) {
        self.section = section
        self.keys = keys
        all = Mirror(reflecting: keys).children.compactMap { $0.value as? any AnySetting }
        byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
    }

    subscript(name: String) -> (any AnySetting)? { byName[name] }
}

/// The settings of a section: each as it was given, or else its default.
///
/// `table.maxBytes` is the value of the setting that `Keys` calls `maxBytes`.
@dynamicMemberLookup
struct SettingTable<Keys: SettingKeys>: Sendable {
    /// Keeps a value that is an optional apart from none.
    private struct Given<Value: Sendable>: Sendable {
        let value: Value
    }

    /// By key.
    private var given: [String: any Sendable] = [:]

    subscript<Value>(dynamicMember setting: KeyPath<Keys, Setting<Value>>) -> Value {
        get { self[Keys.list.keys[keyPath: setting]] }
        set { self[Keys.list.keys[keyPath: setting]] = newValue }
    }

    subscript<Value>(_ setting: Setting<Value>) -> Value {
        get { (given[setting.name] as? Given<Value>)?.value ?? setting.default }
        set { given[setting.name] = Given(value: newValue) }
    }
}

extension SettingTable: Equatable {
    static func == (a: SettingTable, b: SettingTable) -> Bool {
        Keys.list.all.allSatisfy { $0.isEqual(in: a, and: b) }
    }
}

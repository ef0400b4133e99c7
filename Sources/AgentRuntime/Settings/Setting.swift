// SPDX-License-Identifier: Apache-2.0

/// One setting: its key, what may be written for it and what that means, its default and its text in
/// agent.conf.example. All that is known of it is declared here, once.
struct Setting<Value: Sendable & Equatable>: Sendable {
    /// The key, without its section.
    let name: String
    let `default`: Value
    /// What may be written: "a size from 1 MiB to 16 TiB".
    let form: String
    /// Whether a value must be given.
    var isRequired = false
    /// Whether another value can take effect at the next start only: it is what the agent opened, or was built with.
    let needsRestart: Bool
    /// What it does, in whole sentences.
    let about: String
    /// What can be lost, or get worse, by moving it.
    let risk: String
    /// Checks what is written.
    let parse: @Sendable (SettingValue) throws(SettingRefusal) -> Value
    /// A value as the file would have it.
    let print: @Sendable (Value) -> String
}

/// A setting of whatever type.
protocol AnySetting: Sendable {
    var name: String { get }
    var form: String { get }
    var isRequired: Bool { get }
    var needsRestart: Bool { get }
    var about: String { get }
    var risk: String { get }

    /// Checks a value of the file, and sets it.
    func read<Keys>(_ value: SettingValue, into table: inout SettingTable<Keys>) throws(SettingRefusal)

    /// What the table has for it, as the file would have it.
    func text<Keys>(in table: SettingTable<Keys>) -> String

    func isEqual<Keys>(in a: SettingTable<Keys>, and b: SettingTable<Keys>) -> Bool
}

extension Setting: AnySetting {
    func read<Keys>(_ value: SettingValue, into table: inout SettingTable<Keys>) throws(SettingRefusal) {
        table[self] = try parse(value)
    }

    func text<Keys>(in table: SettingTable<Keys>) -> String { print(table[self]) }

    func isEqual<Keys>(in a: SettingTable<Keys>, and b: SettingTable<Keys>) -> Bool { a[self] == b[self] }
}

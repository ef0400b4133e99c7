// SPDX-License-Identifier: Apache-2.0

/// One thing that is wrong with a configuration file.
public struct SettingsFault: Error, Sendable, Equatable, CustomStringConvertible {
    public let file: String
    /// `nil` where the fault is the file's as a whole.
    public let place: SettingPlace?
    /// Names the key, what is wrong with it, and what would be right. Values of the file appear in it only where they
    /// are short words or numbers that the file is expected to have.
    public let message: String

    public var description: String {
        if let place { return "\(file):\(place.line):\(place.column): \(message)" }
        return "\(file): \(message)"
    }
}

/// Everything that is wrong with a configuration file, in the order of its lines.
public struct SettingsFaults: Error, Sendable, Equatable, CustomStringConvertible {
    /// One or more.
    public let faults: [SettingsFault]

    /// One line a fault.
    public var description: String { faults.map(\.description).joined(separator: "\n") }
}

/// A place in a file; lines and columns count from 1, columns in characters.
public struct SettingPlace: Sendable, Hashable, Comparable {
    public let line: Int
    public let column: Int

    public static func < (a: SettingPlace, b: SettingPlace) -> Bool { (a.line, a.column) < (b.line, b.column) }
}

// SPDX-License-Identifier: Apache-2.0
internal import AgentSystemd

/// One thing that is wrong with a configuration file.
public struct SettingsFault: Error, Sendable, Equatable, CustomStringConvertible {
    public let file: String
    /// `nil` where the fault is the file's as a whole.
    public let place: SettingPlace?
    /// Names the key, what is wrong with it, and what would be right. Values of the file appear in it only where they
    /// are short words or numbers that the file is expected to have.
    public let message: String

    /// One line that is safe to show.
    public var description: String {
        let file = LogText.escaped(file)
        let message = LogText.escaped(message)
        if let place { return "\(file):\(place.line):\(place.column): \(message)" }
        return "\(file): \(message)"
    }
}

/// What is wrong with a configuration file, in the order of its lines.
public struct SettingsFaults: Error, Sendable, Equatable, CustomStringConvertible {
    /// How many are told: who has more has one cause for them, or another kind of file.
    public static let mostTold = 50

    /// One to ``mostTold``.
    public let faults: [SettingsFault]
    /// How many there are beside these.
    public let untold: Int

    public init(faults: [SettingsFault], untold: Int = 0) {
        self.faults = faults
        self.untold = untold
    }

    /// One line a fault.
    public var description: String {
        var lines = faults.map(\.description)
        if untold > 0, let first = faults.first {
            lines.append("\(LogText.escaped(first.file)): and \(untold) more faults")
        }
        return lines.joined(separator: "\n")
    }
}

/// Something doubtful about settings that are valid.
public struct SettingsWarning: Sendable, Equatable {
    /// A fixed word.
    public let code: String
    /// A sentence.
    public let message: String
    /// What to do, in another one.
    public let remedy: String
}

/// A place in a file; lines and columns count from 1, columns in characters.
public struct SettingPlace: Sendable, Hashable, Comparable {
    public let line: Int
    public let column: Int

    public static func < (a: SettingPlace, b: SettingPlace) -> Bool { (a.line, a.column) < (b.line, b.column) }
}

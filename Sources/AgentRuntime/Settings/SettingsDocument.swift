// SPDX-License-Identifier: Apache-2.0

internal import TOMLKit

/// A value of a configuration file.
enum SettingValue: Sendable, Equatable {
    case text(String)
    case integer(Int)
    case boolean(Bool)
    case list([SettingValue])
    case table([String: SettingValue])
    /// A kind of value that no key takes: a date, a fraction.
    case other(String)

    var typeName: String {
        switch self {
        case .text: "text"
        case .integer: "a number"
        case .boolean: "true or false"
        case .list: "a list"
        case .table: "a table"
        case .other(let name): name
        }
    }
}

/// The values of a configuration file, and where each key stands.
struct SettingsDocument {
    let values: [String: SettingValue]
    /// By path, as `queue.max_bytes`, `stream[0].name`.
    let places: [String: SettingPlace]

    /// - Throws: what is wrong with the TOML, and where.
    init(_ text: String) throws(SyntaxFault) {
        if let zero = text.unicodeScalars.firstIndex(of: "\0") {
            // The parser takes a C string, and would silently leave out everything after it.
            let before = text.unicodeScalars[..<zero]
            let lineStart = before.lastIndex(of: "\n").map { before.index(after: $0) } ?? before.startIndex
            let place = SettingPlace(
                line: before.count { $0 == "\n" } + 1,
                column: before[lineStart...].count + 1
            )
            throw SyntaxFault(place: place, message: Self.zeroByte)
        }
        var finder = PlaceFinder(text)
        places = finder.find()
        if let place = finder.tooDeep {
            // Before the parser, which takes a level of the stack for each.
            throw SyntaxFault(place: place, message: "nested deeper than \(PlaceFinder.mostLevels) levels")
        }
        if let place = finder.nameless {
            // Before the parser, which takes it that there is one.
            throw SyntaxFault(place: place, message: "not valid TOML: a section has a name, such as [queue]")
        }
        // It gives values as C strings, too.
        if let place = finder.zero { throw SyntaxFault(place: place, message: Self.zeroByte) }
        do {
            values = Self.values(of: try TOMLTable(string: text))
        } catch let error as TOMLParseError {
            let begin = error.source.begin
            throw SyntaxFault(
                place: SettingPlace(line: begin.line, column: begin.column),
                message: MissingQuotes.found(inLine: begin.line, of: text) ?? "not valid TOML: \(error.description)"
            )
        } catch {
            throw SyntaxFault(place: nil, message: "not valid TOML: \(error)")
        }
    }

    private static let zeroByte = "a zero byte has no place in a configuration file"

    struct SyntaxFault: Error {
        let place: SettingPlace?
        let message: String
    }

    private static func values(of table: TOMLTable) -> [String: SettingValue] {
        var values: [String: SettingValue] = [:]
        for (key, value) in table { values[key] = Self.value(value) }
        return values
    }

    private static func value(_ value: any TOMLValueConvertible) -> SettingValue {
        if let text = value.string { return .text(text) }
        if let number = value.int { return .integer(number) }
        if let flag = value.bool { return .boolean(flag) }
        if let table = value.table { return .table(values(of: table)) }
        if let array = value.array { return .list((0..<array.count).map { Self.value(array[$0]) }) }
        return .other("a \(value.type)")
    }
}

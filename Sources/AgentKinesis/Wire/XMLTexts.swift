// SPDX-License-Identifier: Apache-2.0

/// The texts of a small XML document, each by the names of its element and of the one around it, such as
/// `Credentials/AccessKeyId`; of several, the first. What the AWS query protocol answers with; no document types.
struct XMLTexts {
    private var texts: [String: String] = [:]

    struct Malformed: Error {}

    private static let deepest = 16

    init(_ bytes: [UInt8]) throws(Malformed) {
        var rest = Substring(String(decoding: bytes, as: UTF8.self))
        var path: [Substring] = []
        var text = ""
        var wasRoot = false
        while let open = rest.firstIndex(of: "<") {
            text += try Self.unescaped(rest[..<open])
            rest = rest[open...]
            if rest.hasPrefix("<?") {
                rest = try Self.after("?>", rest)
            } else if rest.hasPrefix("<!--") {
                rest = try Self.after("-->", rest.dropFirst(4))
            } else if rest.hasPrefix("<![CDATA[") {
                let content = rest.dropFirst(9)
                let end = try Self.after("]]>", content)
                text += content[..<end.startIndex].dropLast(3)
                rest = end
            } else if rest.hasPrefix("</") {
                let end = try Self.after(">", rest)
                let name = trimmed(rest[..<end.startIndex].dropFirst(2).dropLast())
                guard let last = path.popLast(), last == name else { throw Malformed() }
                if let parent = path.last {
                    let key = "\(parent)/\(name)"
                    if texts[key] == nil { texts[key] = trimmed(text) }
                }
                text = ""
                rest = end
            } else {
                let end = try Self.after(">", rest)
                let tag = rest[..<end.startIndex].dropFirst().dropLast()
                let name = tag.prefix { !$0.isWhitespace && $0 != "/" }
                guard let first = name.first, first.isLetter || first == "_", path.count < Self.deepest,
                    !(path.isEmpty && wasRoot)
                else { throw Malformed() }
                wasRoot = true
                if tag.last != "/" { path.append(name) }
                text = ""
                rest = end
            }
        }
        guard wasRoot, path.isEmpty, rest.allSatisfy(\.isWhitespace) else { throw Malformed() }
    }

    /// `nil` where there is no such element, or it is empty.
    subscript(name: String) -> String? {
        guard let text = texts[name], !text.isEmpty else { return nil }
        return text
    }

    private static func after(_ mark: String, _ text: Substring) throws(Malformed) -> Substring {
        guard let range = text.firstRange(of: mark) else { throw Malformed() }
        return text[range.upperBound...]
    }

    private static func unescaped(_ text: Substring) throws(Malformed) -> String {
        var result = ""
        var rest = text
        while let start = rest.firstIndex(of: "&") {
            result += rest[..<start]
            guard let end = rest[start...].firstIndex(of: ";") else { throw Malformed() }
            result.unicodeScalars.append(try scalar(rest[rest.index(after: start)..<end]))
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }

    private static func scalar(_ entity: Substring) throws(Malformed) -> Unicode.Scalar {
        switch entity {
        case "lt": return "<"
        case "gt": return ">"
        case "amp": return "&"
        case "quot": return "\""
        case "apos": return "'"
        default:
            let number =
                entity.hasPrefix("#x")
                ? UInt32(entity.dropFirst(2), radix: 16)
                : entity.hasPrefix("#") ? UInt32(entity.dropFirst()) : nil
            guard let scalar = number.flatMap(Unicode.Scalar.init) else { throw Malformed() }
            return scalar
        }
    }
}

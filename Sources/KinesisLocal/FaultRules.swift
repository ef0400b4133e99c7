// SPDX-License-Identifier: Apache-2.0
internal import FoundationEssentials

/// Reads fault rules: one JSON object, or an array of them. A member that is not known is an error, so that a slip of
/// the pen is no fault that never comes.
enum FaultRules {
    static func read(_ text: UnsafeRawBufferPointer) throws(KinesisLocalError) -> [FaultRule] {
        let isArray = text.first { !($0 == 0x20 || (0x09...0x0d).contains($0)) } == UInt8(ascii: "[")
        let rules: [Strict]
        do {
            let data = Data(text)
            rules =
                isArray
                ? try JSONDecoder().decode([Strict].self, from: data)
                : [try JSONDecoder().decode(Strict.self, from: data)]
        } catch {
            throw .faultsInvalid(reason: explain(error))
        }
        for (index, entry) in rules.enumerated() {
            if let fault = entry.rule.fault { throw .faultsInvalid(reason: "rule \(index + 1): \(fault)") }
        }
        return rules.map(\.rule)
    }

    static func read(path: String) throws(KinesisLocalError) -> [FaultRule] {
        let data: Data
        do { data = try Data(contentsOf: URL(filePath: path)) } catch {
            throw .faultsUnreadable(path: path, reason: "\(error)")
        }
        do { return try data.withUnsafeBytes { try read($0) } } catch let error as KinesisLocalError {
            throw error
        } catch {
            throw .faultsUnreadable(path: path, reason: "\(error)")
        }
    }

    /// What a decoder found wrong, in a sentence.
    static func explain(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        switch error {
        case .keyNotFound(let key, _): return "\(key.stringValue) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            let place = context.codingPath.map(\.stringValue).joined(separator: ".")
            return place.isEmpty ? context.debugDescription : "\(place): \(context.debugDescription)"
        @unknown default: return "\(error)"
        }
    }

    private struct Strict: Decodable {
        let rule: FaultRule

        init(from decoder: any Decoder) throws {
            let known = Set(FaultRule.CodingKeys.allCases.map(\.stringValue))
            let container = try decoder.container(keyedBy: AnyKey.self)
            if let unknown = container.allKeys.first(where: { !known.contains($0.stringValue) }) {
                throw DecodingError.dataCorruptedError(
                    forKey: unknown,
                    in: container,
                    debugDescription: "no such member of a fault rule"
                )
            }
            rule = try FaultRule(from: decoder)
        }
    }

    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}

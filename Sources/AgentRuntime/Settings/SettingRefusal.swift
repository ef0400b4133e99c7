// SPDX-License-Identifier: Apache-2.0

/// Why a value is not one that a key can have; completes the sentence "queue.max_bytes …".
struct SettingRefusal: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }

    static func wrongType(_ value: SettingValue, wanted: String) -> SettingRefusal {
        SettingRefusal("must be \(wanted), not \(value.typeName)")
    }

    /// - Parameter given: is repeated where it is short and plain, which no secret is that strayed into the file.
    static func wrong(_ given: String, wanted: String, meant: String? = nil) -> SettingRefusal {
        let isShown = (1...24).contains(given.utf8.count) && given.utf8.allSatisfy { (0x20...0x7e).contains($0) }
        let hint = meant.map { "; did you mean \"\($0)\"?" } ?? ""
        return SettingRefusal("must be \(wanted)" + (isShown ? ", not \"\(given)\"" : "") + hint)
    }
}

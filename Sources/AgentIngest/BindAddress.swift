// SPDX-License-Identifier: Apache-2.0

/// `host:port` or `[v6]:port`.
struct BindAddress: Hashable, Sendable {
    /// Without brackets.
    let host: String
    let port: Int

    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65535).contains(port)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        if host.isEmpty { return nil }
        self.host = String(host)
        self.port = port
    }

    /// As a `Host` field has it.
    var hostField: String { host.contains(":") ? "[\(host)]" : host }
}

// SPDX-License-Identifier: Apache-2.0

/// Where HTTP is listened for.
struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// An IPv4 or IPv6 address without brackets, or `localhost`.
    let host: String
    /// 0...65535; 0: any that is free.
    let port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    var description: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

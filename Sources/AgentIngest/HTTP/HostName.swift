// SPDX-License-Identifier: Apache-2.0

/// The host of a `Host` field or of a target (RFC 3986 section 3.2.2).
enum HostName {
    /// Whether it is a name or an address with, perhaps, a port; empty is allowed.
    static func isValid(_ value: UnsafeRawBufferPointer) -> Bool {
        let name = withoutPort(value)
        let port = value[name.count...]
        guard port.isEmpty || port.dropFirst().allSatisfy(FieldBytes.isDigit) else { return false }
        if name.first == UInt8(ascii: "[") {
            return name.last == UInt8(ascii: "]")
                && name.dropFirst().dropLast().allSatisfy { $0 != 0x5b && $0 > 0x20 && $0 < 0x7f }
        }
        return name.allSatisfy { byte in
            byte < 0x80 && FieldBytes.isToken(byte) || "()=;,".utf8.contains(byte)
        }
    }

    /// Everything before the colon of the port.
    static func withoutPort(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let from = value.first == UInt8(ascii: "[") ? value.firstIndex(of: UInt8(ascii: "]")) ?? 0 : 0
        let colon = value[from...].firstIndex(of: UInt8(ascii: ":")) ?? value.count
        return UnsafeRawBufferPointer(rebasing: value[..<colon])
    }

    /// Whether it names this machine itself: `localhost`, 127.0.0.0/8, `[::1]`.
    static func isLoopback(_ value: UnsafeRawBufferPointer) -> Bool {
        let name = withoutPort(value)
        if FieldBytes.equal(name, "localhost") || FieldBytes.equal(name, "[::1]") { return true }
        guard name.starts(with: "127.".utf8) else { return false }
        // Four numbers and nothing else: 127.0.0.1.example.com is somebody else's.
        let parts = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { (1...3).contains($0.count) && $0.allSatisfy(FieldBytes.isDigit) }
    }
}

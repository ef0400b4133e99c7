// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import NIOCore

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
        for byte in name where !FieldBytes.isToken(byte) && !"()=;,".utf8.contains(byte) { return false }
        return true
    }

    /// Everything before the colon of the port.
    static func withoutPort(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var at = 0
        if value.first == UInt8(ascii: "[") {
            while at < value.count, value[at] != UInt8(ascii: "]") { at &+= 1 }
        }
        while at < value.count, value[at] != UInt8(ascii: ":") { at &+= 1 }
        return UnsafeRawBufferPointer(rebasing: value[..<at])
    }

    /// Whether it names this machine itself: `localhost`, 127.0.0.0/8, `[::1]`.
    static func isLoopback(_ value: UnsafeRawBufferPointer) -> Bool {
        let name = withoutPort(value)
        if FieldBytes.equal(name, "localhost") || FieldBytes.equal(name, "[::1]") { return true }
        // 127 and three more numbers, and nothing else: 127.0.0.1.example.com is somebody else's.
        guard name.count > 4, FieldBytes.equal(UnsafeRawBufferPointer(rebasing: name[..<4]), "127.") else {
            return false
        }
        var (dots, digits) = (1, 0)
        for byte in name[4...] {
            if byte == UInt8(ascii: ".") {
                guard digits > 0 else { return false }
                (dots, digits) = (dots + 1, 0)
            } else {
                digits += 1
                guard FieldBytes.isDigit(byte), digits <= 3 else { return false }
            }
        }
        return dots == 3 && digits > 0
    }

    /// Whether `host`, without port, is `address`, in whatever way it is written.
    static func names(_ host: String, _ address: SocketAddress) -> Bool {
        guard let mine = address.ipAddress.flatMap(bytes(of:)) else { return false }
        return bytes(of: host) == mine
    }

    /// The bytes of an IP address: four also where one of IPv6 only carries one of IPv4 (RFC 4291 section 2.5.5.2).
    private static func bytes(of text: String) -> [UInt8]? {
        let address = text.first == "[" && text.last == "]" ? String(text.dropFirst().dropLast()) : text
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, address, &bytes) == 1 { return Array(bytes.prefix(4)) }
        guard inet_pton(AF_INET6, address, &bytes) == 1 else { return nil }
        let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xff && bytes[11] == 0xff
        return isMapped ? Array(bytes[12...]) : bytes
    }
}

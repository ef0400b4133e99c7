// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import NIOCore

/// Why an address cannot be listened on, and what to do about it, in words for ``IngestError/listen(address:reason:)``.
enum ListenFault {
    /// - Parameter error: of binding a TCP socket.
    static func reason(_ error: any Error, port: Int) -> String {
        guard let error = error as? IOError else { return "\(error)" }
        switch error.errnoCode {
        case EADDRINUSE:
            let holder = PortHolder.find(port: port) ?? "another process"
            return "\(holder) has the port. Stop it, or set another port in listen.http"
        case EADDRNOTAVAIL:
            return "this machine has no such address. Set listen.http to one that it has, such as 127.0.0.1"
        case EACCES where (1..<1024).contains(port):
            return "ports below 1024 need a privilege. Set a higher one in listen.http, or give the unit "
                + "AmbientCapabilities=CAP_NET_BIND_SERVICE"
        case EAFNOSUPPORT: return "this machine has no IPv6. Set listen.http to an IPv4 address"
        default: return "\(String(cString: strerror(error.errnoCode))). Set another address in listen.http"
        }
    }

    /// - Parameter number: `errno` of making a Unix socket.
    static func reason(errno number: CInt) -> String {
        let words = String(cString: strerror(number))
        switch number {
        case ENOENT: return "\(words). Make its folder, or set another listen.socket"
        case EACCES, EPERM, EROFS: return "\(words). Let the agent write to its folder, or set another listen.socket"
        default: return "\(words). Set another listen.socket"
        }
    }
}

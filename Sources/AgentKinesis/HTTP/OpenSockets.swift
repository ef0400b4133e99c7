// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import CCurl
internal import Glibc

/// The TCP sockets of one libcurl handle, and the one among them that carries the request at hand.
///
/// Confined like the handle. It must outlive it: libcurl closes its last sockets when the handle goes.
final class OpenSockets {
    /// The local port of each; 0 until it was first used.
    private var ports: [curl_socket_t: UInt16] = [:]
    private var current: curl_socket_t = -1
    private let userTimeout: UInt32

    /// Whether the request goes over a connection that was there before it.
    private(set) var isKept = false
    /// Whether a socket that is closed now leaves a request unanswered.
    var awaitsAnswer = false

    /// - Parameter userTimeout: How long sent bytes, and probes of an idle connection, may stay unacknowledged before
    ///   the kernel gives the connection up.
    init(userTimeout: Duration) {
        self.userTimeout = UInt32(clamping: userTimeout.wholeMilliseconds)
    }

    func beginRequest() {
        isKept = true
        current = -1
    }

    func opened(_ socket: curl_socket_t) {
        ports[socket] = 0
        isKept = false
    }

    /// The request goes over the connection with this local port.
    func use(localPort: UInt16) {
        if let known = ports.first(where: { $0.value == localPort }) {
            current = known.key
            return
        }
        for (socket, port) in ports where port == 0 {
            let found = Self.localPort(of: socket)
            ports[socket] = found
            // While a connection is made its own time limit holds, so this comes after that.
            var timeout = userTimeout
            setsockopt(socket, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &timeout, socklen_t(MemoryLayout<UInt32>.size))
            if found == localPort { current = socket }
        }
    }

    /// Of the request's connection; 0 where it is not known.
    var unacknowledged: Int64 {
        current < 0 ? 0 : Int64(max(0, agent_socket_unacknowledged(current)))
    }

    /// Closes it. What of an unanswered request has not left yet is not to leave any more: it would take the link's
    /// time from the attempt that follows.
    func close(_ socket: curl_socket_t) -> Int32 {
        ports[socket] = nil
        if socket == current, awaitsAnswer, unacknowledged > 0 {
            current = -1
            var linger = linger(l_onoff: 1, l_linger: 0)
            setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
        }
        return Glibc.close(socket)
    }

    private static func localPort(of socket: curl_socket_t) -> UInt16 {
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                guard getsockname(socket, generic, &length) == 0 else { return 0 }
                // The port is at the same place in both families' addresses.
                return generic.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    UInt16(bigEndian: $0.pointee.sin_port)
                }
            }
        }
    }
}

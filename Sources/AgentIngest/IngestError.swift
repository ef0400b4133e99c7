// SPDX-License-Identifier: Apache-2.0

/// Why events cannot come in by some way.
public enum IngestError: Error, Hashable, Sendable {
    /// `listen.http` is not `host:port`.
    case invalidAddress(String)
    /// The address could not be listened on. `reason` says what to do, and has no full stop at its end.
    case listen(address: String, reason: String)
    /// Another process answers on the socket.
    case socketInUse(path: String)
    /// There is a file at the socket's path that is none.
    case notASocket(path: String)
    /// An inherited descriptor is no listening stream socket.
    case inherited(descriptor: CInt, reason: String)
    /// A connection could not be taken; the next ones may.
    case accept(reason: String)
}

extension IngestError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .invalidAddress(let text):
            "listen.http = \"\(text)\" is not an address and a port. Write it like \"127.0.0.1:8077\" or \"[::1]:8077\"."
        case .listen(let address, let reason):
            "Cannot listen on \(address): \(reason)."
        case .socketInUse(let path):
            "Another process answers on \(path). Stop it, or set another listen.socket."
        case .notASocket(let path):
            "There is a file at \(path) that is no socket. Remove it, or set another listen.socket."
        case .inherited(let descriptor, let reason):
            "The inherited descriptor \(descriptor) cannot be listened on: \(reason)."
        case .accept(let reason):
            "A connection could not be accepted: \(reason). Does a client leak them, or is the limit of open files too low?"
        }
    }
}

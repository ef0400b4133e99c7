// SPDX-License-Identifier: Apache-2.0
internal import AgentSystemd

/// The listening sockets that the service manager holds for this agent: while it restarts, clients wait in them instead
/// of being refused. They are shared out by the names that their units give them (`FileDescriptorName=`).
struct InheritedSockets: Sendable {
    /// HTTP over TCP, and HTTP or lines over a Unix socket.
    private(set) var ingest: [Int32] = []
    private(set) var control: Int32?
    private(set) var hasHTTP = false
    private(set) var hasUnix = false

    /// - Throws: where one is of no use, or where it is not clear of which.
    init(_ sockets: [ActivatedSocket]) throws(StartError) {
        for socket in sockets {
            switch (socket.kind, Self.role(of: socket.name)) {
            case (.internet, "http"):
                ingest.append(socket.descriptor)
                hasHTTP = true
            case (.internet, _):
                throw StartError(
                    "The service manager handed over a TCP socket named '\(socket.name)'. Set FileDescriptorName=http in "
                        + "its socket unit."
                )
            case (.unix, "ingest"):
                ingest.append(socket.descriptor)
                hasUnix = true
            case (.unix, "control") where control == nil: control = socket.descriptor
            case (.unix, "control"):
                throw StartError("The service manager handed over two control sockets. Keep one socket unit for it.")
            case (.unix, _):
                throw StartError(
                    "The service manager handed over a Unix socket named '\(socket.name)'. Set FileDescriptorName=ingest "
                        + "or FileDescriptorName=control in its socket unit."
                )
            case (.other, _):
                throw StartError(
                    "The service manager handed over '\(socket.name)', which is not a listening stream socket. Use "
                        + "ListenStream= with Accept=no in its socket unit."
                )
            }
        }
    }

    /// Without `FileDescriptorName=`, a socket has the name of its unit.
    private static func role(of name: String) -> String {
        switch name {
        case "agentd-http.socket": "http"
        case "agentd-ingest.socket": "ingest"
        case "agentd-control.socket": "control"
        default: name
        }
    }
}

// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import Glibc

/// Listens on the control socket and hands requests to each verb's ``VerbHandler``.
///
/// The operator always gets in: what others ask is bounded by kind (see `ControlAdmission`), their idle connections make
/// room, and some descriptors are kept for this socket. All of its state is confined to one serial queue, which waits
/// for nobody. The functions may be called from any thread.
public final class ControlServer: Sendable {
    public static let group = "agentd-admin"

    /// More than these at once, and the one that has been idle longest is closed for the new one. More than the
    /// requests that are worked on or have their turn later.
    public static let maxConnections = 48

    private let queue = DispatchQueue(label: "agentd.control")
    private let state: ControlServerState

    /// Makes the socket file, mode 0660, group `agentd-admin` where there is one. A file left behind by a dead
    /// process is replaced.
    public init(path: String, handlers: [VerbHandler]) throws(UnixSocketError) {
        let descriptor = try UnixSocket.listen(path: path, mode: 0o660, group: Self.group)
        state = ControlServerState(queue: queue, descriptor: descriptor, path: path, handlers: handlers)
    }

    /// Takes over a listening Unix socket, such as one that systemd handed in; its file is left to whoever made it.
    public init(listening descriptor: Int32, handlers: [VerbHandler]) {
        UnixSocket.setNonBlocking(descriptor)
        state = ControlServerState(queue: queue, descriptor: descriptor, path: nil, handlers: handlers)
    }

    public func start() {
        queue.async { [state] in state.start() }
    }

    /// Closes the socket and all connections, answered or not, and removes the socket file. Blocks until that is done.
    public func stop() {
        queue.sync { state.stop() }
    }

    deinit { stop() }
}

/// Device and inode of a file.
struct FileIdentity: Equatable {
    let device: dev_t
    let inode: ino_t

    init?(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        device = status.st_dev
        inode = status.st_ino
    }
}

// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import Glibc

/// Listens on the control socket and hands requests to a ``ControlHandler``.
///
/// All of its state is confined to one serial queue. The functions may be called from any thread.
public final class ControlServer: Sendable {
    public static let group = "agentd-admin"

    /// More than these at once, and the one that has been idle longest is closed for the new one.
    public static let maxConnections = 32

    private let queue = DispatchQueue(label: "agentd.control")
    private let state: State

    /// Makes the socket file, mode 0660, group `agentd-admin` where there is one. A file left behind by a dead
    /// process is replaced.
    public init(path: String, handler: any ControlHandler) throws(UnixSocketError) {
        let descriptor = try UnixSocket.listen(path: path, mode: 0o660, group: Self.group)
        state = State(queue: queue, descriptor: descriptor, path: path, handler: handler)
    }

    /// Takes over a listening Unix socket, such as one that systemd handed in; its file is left to whoever made it.
    public init(listening descriptor: Int32, handler: any ControlHandler) {
        UnixSocket.setNonBlocking(descriptor)
        state = State(queue: queue, descriptor: descriptor, path: nil, handler: handler)
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

extension ControlServer {
    // Guarded by `queue`: each function checks that it runs there.
    private final class State: @unchecked Sendable {
        private let queue: DispatchQueue
        private let handler: any ControlHandler
        private let descriptor: Int32
        private let path: String?
        /// Device and inode of the socket file: another one at the path is not ours to remove.
        private let file: FileIdentity?
        private var source: (any DispatchSourceRead)?
        private var connections: [ObjectIdentifier: ControlConnection] = [:]
        private var uses: UInt64 = 0
        private var isStopped = false
        private var spare = State.openSpare()

        init(queue: DispatchQueue, descriptor: Int32, path: String?, handler: any ControlHandler) {
            self.queue = queue
            self.descriptor = descriptor
            self.path = path
            self.file = path.flatMap(FileIdentity.init)
            self.handler = handler
        }

        func start() {
            dispatchPrecondition(condition: .onQueue(queue))
            guard source == nil, !isStopped else { return }
            let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
            source.setEventHandler { [weak self] in self?.acceptAll() }
            source.setCancelHandler { [descriptor] in close(descriptor) }
            self.source = source
            source.activate()
        }

        func stop() {
            dispatchPrecondition(condition: .onQueue(queue))
            guard !isStopped else { return }
            isStopped = true
            if let path, let file, FileIdentity(path) == file { unlink(path) }
            if let source { source.cancel() } else { close(descriptor) }
            if spare >= 0 { close(spare) }
            for connection in connections.values { connection.close() }
            connections = [:]
        }

        private func acceptAll() {
            dispatchPrecondition(condition: .onQueue(queue))
            while !isStopped {
                let accepted = accept(descriptor, nil, nil)
                guard accepted >= 0 else {
                    if errno == EINTR || errno == ECONNABORTED { continue }
                    if errno == EMFILE || errno == ENFILE, turnAway() { continue }
                    return
                }
                _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
                UnixSocket.setNonBlocking(accepted)
                makeRoom()
                guard connections.count < ControlServer.maxConnections else {
                    close(accepted)
                    continue
                }
                add(accepted)
            }
        }

        private func add(_ descriptor: Int32) {
            let connection = ControlConnection(descriptor: descriptor, queue: queue, handler: handler)
            connection.onUse = { [weak self, weak connection] in
                guard let self, let connection else { return }
                uses += 1
                connection.lastUse = uses
            }
            connection.onClose = { [weak self, weak connection] in
                guard let self, let connection else { return }
                connections[ObjectIdentifier(connection)] = nil
            }
            connections[ObjectIdentifier(connection)] = connection
            connection.start()
        }

        /// Out of descriptors, a connection that is not accepted would make the source fire without end. One descriptor
        /// is kept for this: it makes way, the connection is taken and closed, and it comes back.
        private func turnAway() -> Bool {
            guard spare >= 0 else { return false }
            close(spare)
            let accepted = accept(descriptor, nil, nil)
            if accepted >= 0 { close(accepted) }
            spare = Self.openSpare()
            return accepted >= 0
        }

        private static func openSpare() -> Int32 { open("/dev/null", O_RDONLY | O_CLOEXEC) }

        private func makeRoom() {
            guard connections.count >= ControlServer.maxConnections else { return }
            connections.values.filter(\.isExpendable).min { $0.lastUse < $1.lastUse }?.close()
        }
    }
}

private struct FileIdentity: Equatable {
    let device: dev_t
    let inode: ino_t

    init?(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        device = status.st_dev
        inode = status.st_ino
    }
}

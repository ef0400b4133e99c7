// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import Glibc

/// The listening socket and the connections of a ``ControlServer``.
// Guarded by `queue`: each function checks that it runs there, or is called by one that does.
final class ControlServerState: @unchecked Sendable {
    /// What all connections together may hold of requests that are not whole, requests that are worked on, and answers
    /// that nobody has read. The largest answer fits.
    private static let mostHeldBytes = 64 << 20
    /// A connection that holds no more than this is never in anybody's way.
    private static let harmlessBytes = 256 << 10
    /// How long the listener is left alone where the system gives no descriptor.
    private static let shortestPause = 50
    private static let longestPause = 1000

    private let queue: DispatchQueue
    private let desk: ControlDesk
    private let descriptor: Int32
    private let path: String?
    /// Another file at the path is not ours to remove.
    private let file: FileIdentity?
    private var source: (any DispatchSourceRead)?
    private var isAccepting = true
    private var pauseMilliseconds = ControlServerState.shortestPause
    private var connections: [ObjectIdentifier: ControlConnection] = [:]
    private var admission = ControlAdmission<ObjectIdentifier>()
    private var reserve = DescriptorReserve()
    private var isStopped = false

    init(queue: DispatchQueue, descriptor: Int32, path: String?, handlers: [VerbHandler]) {
        self.queue = queue
        self.descriptor = descriptor
        self.path = path
        self.file = path.flatMap(FileIdentity.init)
        desk = ControlDesk(handlers)
    }

    func start() {
        dispatchPrecondition(condition: .onQueue(queue))
        guard source == nil, !isStopped else { return }
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        source.setEventHandler { [weak self] in self?.acceptSome() }
        source.setCancelHandler { [descriptor] in close(descriptor) }
        self.source = source
        source.activate()
    }

    func stop() {
        dispatchPrecondition(condition: .onQueue(queue))
        guard !isStopped else { return }
        isStopped = true
        if let path, let file, FileIdentity(path) == file { unlink(path) }
        if let source {
            // A suspended source must be resumed before it goes.
            if !isAccepting { source.resume() }
            source.cancel()
        } else {
            close(descriptor)
        }
        reserve.giveAll()
        for connection in connections.values { connection.close() }
        connections = [:]
    }

    // MARK: Accepting

    private func acceptSome() {
        dispatchPrecondition(condition: .onQueue(queue))
        // Those that are there already get their turn between.
        for _ in 0..<16 where !isStopped {
            let isFull = connections.count >= ControlServer.maxConnections
            // Whoever comes waits in the listener's backlog until somebody has got an answer.
            if isFull, mostExpendable == nil { return pauseAccepting() }
            let accepted = accept(descriptor, nil, nil)
            guard accepted >= 0 else {
                switch errno {
                case EINTR, ECONNABORTED: continue
                case EAGAIN: return
                case EMFILE, ENFILE:
                    if reserve.give() { continue }
                    // Whoever has just come may be about to speak.
                    if let idle = mostExpendable, idle.lastMove + .seconds(1) < .now() { idle.close() }
                    return backOff()
                default: return backOff()
                }
            }
            pauseMilliseconds = Self.shortestPause
            _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
            UnixSocket.setNonBlocking(accepted)
            if isFull { mostExpendable?.close() }
            add(accepted)
        }
    }

    private func add(_ descriptor: Int32) {
        let socket = DescriptorOwner(descriptor) { [weak self, queue] descriptor in
            queue.async { [weak self] in
                guard let self, !isStopped else { return _ = close(descriptor) }
                reserve.keep(descriptor)
                goOnAccepting()
            }
        }
        let connection = ControlConnection(socket, queue: queue, desk: desk, owner: self)
        connections[ObjectIdentifier(connection)] = connection
        connection.start()
    }

    private func pauseAccepting() {
        guard isAccepting else { return }
        isAccepting = false
        source?.suspend()
    }

    private func goOnAccepting() {
        guard !isAccepting, !isStopped else { return }
        isAccepting = true
        source?.resume()
    }

    /// A connection that cannot be accepted would make the source fire without end.
    private func backOff() {
        pauseAccepting()
        queue.asyncAfter(deadline: .now() + .milliseconds(pauseMilliseconds)) { [weak self] in
            self?.goOnAccepting()
        }
        pauseMilliseconds = min(2 * pauseMilliseconds, Self.longestPause)
    }

    // MARK: Room

    /// The connection that is missed least: the one that has been idle longest, before one that does not read its
    /// answer.
    private var mostExpendable: ControlConnection? {
        let candidates = connections.values.compactMap { connection in
            connection.expendability.map { (connection, ($0, connection.lastMove)) }
        }
        return candidates.min { $0.1 < $1.1 }?.0
    }

    private func boundMemory(_ connection: ControlConnection) {
        guard connection.heldBytes > Self.harmlessBytes else { return }
        while connections.values.reduce(0, { $0 + $1.heldBytes }) > Self.mostHeldBytes {
            let others = connections.values.filter {
                $0 !== connection && $0.heldBytes > Self.harmlessBytes && $0.expendability != nil
            }
            guard let longest = others.min(by: { $0.lastMove < $1.lastMove }) else {
                return connection.refuse(
                    ControlError(.unavailable, "Others send too much to this agentd at the moment. Try again.")
                )
            }
            longest.close()
        }
    }
}

extension ControlServerState: ControlConnectionOwner {
    func moved(_ connection: ControlConnection) {
        connection.lastMove = .now()
        boundMemory(connection)
    }

    func admits(
        _ connection: ControlConnection,
        to lane: ControlLane
    ) -> ControlAdmission<ObjectIdentifier>.Decision {
        let id = ObjectIdentifier(connection)
        let decision = admission.enter(id, lane)
        guard decision == .refuse else { return decision }
        for waiting in connections.values.filter(\.waitsInVain) { waiting.close() }
        return admission.enter(id, lane)
    }

    func left(_ connection: ControlConnection, _ lane: ControlLane) {
        if let next = admission.leave(ObjectIdentifier(connection), lane) { connections[next]?.begin() }
        goOnAccepting()
    }

    func closed(_ connection: ControlConnection) {
        connections[ObjectIdentifier(connection)] = nil
        goOnAccepting()
    }
}

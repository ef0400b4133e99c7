// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// A program that this one started; never left behind.
final class ChildProcess {
    let name: String
    let pid: pid_t
    /// When it was started, on the monotonic clock.
    let startedAt: UInt64
    private let log: String
    private var isReaped = false

    /// - Parameters:
    ///   - environment: All of it: what happens to be set for this program shall not change figures.
    ///   - log: The file that gets what the program says.
    init(_ path: String, _ arguments: [String], environment: [String: String], log: String) throws(BenchError) {
        name = String(path.split(separator: "/").last ?? "program")
        self.log = log
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)

        var argv: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in argv + envp { free(text) } }
        startedAt = Monotonic.now()
        var pid = pid_t()
        let result = posix_spawn(&pid, path, &actions, nil, &argv, &envp)
        guard result == 0 else { throw .system(call: "start", object: path, errno: result) }
        self.pid = pid
    }

    deinit { if !isReaped { end(within: 10) } }

    var said: String { ProcFile.read(log) ?? "" }

    func failure(_ fault: String) -> BenchError { .program(name: name, fault: fault, log: String(said.suffix(2048))) }

    /// - Throws: Where it has ended by itself.
    func checkIsRunning() throws(BenchError) {
        if reap(wait: false) { throw failure("ended by itself") }
    }

    /// Asks it to stop, and kills it where it does not in time.
    /// - Returns: Whether it stopped by itself.
    @discardableResult
    func end(within seconds: Double) -> Bool {
        guard !isReaped else { return true }
        Glibc.kill(pid, SIGTERM)
        let deadline = Monotonic.after(seconds: seconds)
        while Monotonic.now() < deadline {
            if reap(wait: false) { return true }
            usleep(2000)
        }
        kill()
        return false
    }

    /// As a power cut would, but for what the kernel has in its caches.
    func kill() {
        guard !isReaped else { return }
        Glibc.kill(pid, SIGKILL)
        _ = reap(wait: true)
    }

    private func reap(wait: Bool) -> Bool {
        guard !isReaped else { return true }
        var status: Int32 = 0
        while true {
            let result = waitpid(pid, &status, wait ? 0 : WNOHANG)
            if result < 0, errno == EINTR { continue }
            isReaped = result != 0
            return isReaped
        }
    }
}

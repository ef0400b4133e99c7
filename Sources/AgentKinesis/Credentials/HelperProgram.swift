// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import Glibc

/// A program that is run for what it writes: without a shell, with this process's environment, nothing to read, and in a
/// process group of its own, which is killed where it takes too long.
struct HelperProgram {
    /// Longer output is a fault.
    static let largestOutput = 64 << 10
    /// Of what it complains about, the end is kept.
    private static let keptComplaints = 4 << 10

    struct Outcome {
        enum End: Equatable {
            case exited(Int32)
            case killed(signal: Int32)
            case tookTooLong, wroteTooMuch
        }

        var output: [UInt8] = []
        /// The end of what it wrote to standard error.
        var complaints: [UInt8] = []
        var end = End.tookTooLong
    }

    struct Fault: Error {
        let reason: String
    }

    /// The program, looked for as a shell does, and its arguments.
    let words: [String]
    var timeout: Duration = .seconds(60)

    /// Blocks for up to ``timeout``.
    func run() throws(Fault) -> Outcome {
        let output = try Pipe()
        let complaints = try Pipe()
        let pid = try start(output, complaints)
        output.closeWriter()
        complaints.closeWriter()
        let deadline = Instant.sinceBoot() + timeout
        var outcome = Outcome()
        if read(output, complaints, into: &outcome, until: deadline),
            let end = Self.reap(pid, until: deadline)
        {
            outcome.end = end
            return outcome
        }
        if outcome.output.count > Self.largestOutput { outcome.end = .wroteTooMuch }
        kill(-pid, SIGKILL)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return outcome
    }

    private func start(_ output: Pipe, _ complaints: Pipe) throws(Fault) -> pid_t {
        guard let program = words.first, !program.isEmpty else {
            throw Fault(reason: "no program is named")
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output.writer, 1)
        posix_spawn_file_actions_adddup2(&actions, complaints.writer, 2)

        // This process blocks and ignores some signals, and a program inherits that.
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP)
        )

        var argv: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for word in argv { free(word) } }
        var pid = pid_t()
        let result = posix_spawnp(&pid, program, &actions, &attributes, &argv, environ)
        guard result == 0 else { throw Fault(reason: String(cString: strerror(result))) }
        return pid
    }

    /// - Returns: Whether both were read to their ends in time.
    private func read(
        _ output: Pipe,
        _ complaints: Pipe,
        into outcome: inout Outcome,
        until deadline: Instant
    ) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        var open = [
            pollfd(fd: output.reader, events: Int16(POLLIN), revents: 0),
            pollfd(fd: complaints.reader, events: Int16(POLLIN), revents: 0),
        ]
        while open.contains(where: { $0.fd >= 0 }) {
            let left = deadline - .sinceBoot()
            guard left > .zero else { return false }
            guard poll(&open, nfds_t(open.count), Int32(left.wholeMilliseconds + 1)) > 0 else { continue }
            for i in open.indices where open[i].fd >= 0 && open[i].revents != 0 {
                let count = Glibc.read(open[i].fd, &chunk, chunk.count)
                if count <= 0 {
                    if count == 0 || errno != EINTR { open[i].fd = -1 }
                } else if i == 0 {
                    outcome.output += chunk[..<count]
                    if outcome.output.count > Self.largestOutput { return false }
                } else {
                    outcome.complaints = (outcome.complaints + chunk[..<count]).suffix(Self.keptComplaints)
                }
            }
        }
        return true
    }

    /// `nil`: it still runs.
    private static func reap(_ pid: pid_t, until deadline: Instant) -> Outcome.End? {
        var status: Int32 = 0
        while true {
            let result = waitpid(pid, &status, WNOHANG)
            if result == pid {
                // WIFSIGNALED, WTERMSIG and WEXITSTATUS of wait(2), which Swift does not import.
                return status & 0x7f != 0 ? .killed(signal: status & 0x7f) : .exited((status >> 8) & 0xff)
            }
            if result < 0, errno != EINTR { return .exited(-1) }
            if Instant.sinceBoot() >= deadline { return nil }
            // It has closed its output, so its end is near.
            usleep(2000)
        }
    }
}

/// Both ends are closed with it.
private final class Pipe {
    let reader: Int32
    private(set) var writer: Int32

    init() throws(HelperProgram.Fault) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw HelperProgram.Fault(reason: "no pipe can be made: \(String(cString: strerror(errno)))")
        }
        // A program that another thread starts in between inherits them, and then ends them only with itself.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (reader, writer) = (ends[0], ends[1])
    }

    func closeWriter() {
        if writer >= 0 { close(writer) }
        writer = -1
    }

    deinit {
        closeWriter()
        close(reader)
    }
}

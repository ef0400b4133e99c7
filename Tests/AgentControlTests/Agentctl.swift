// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

/// Runs the agentctl that was built beside these tests.
struct Agentctl {
    struct Outcome: Equatable {
        var code: Int32
        var out: String
        var words: String
    }

    /// Empty where it was not built.
    static let program: String = {
        guard let resolved = realpath("/proc/self/exe", nil) else { return "" }
        defer { free(resolved) }
        let own = String(cString: resolved)
        let path = own[..<(own.lastIndex(of: "/") ?? own.startIndex)] + "/agentctl"
        return access(String(path), X_OK) == 0 ? String(path) : ""
    }()

    static var isBuilt: Bool { !program.isEmpty }

    /// - Parameter signal: sent once stdout holds something.
    static func run(
        _ arguments: String...,
        stdin: String = "",
        columns: Int? = nil,
        environment: [String: String] = [:],
        in scratch: Scratch,
        signal: Int32? = nil,
        program: String = Self.program
    ) throws -> Outcome {
        try run(
            arguments,
            stdin: stdin,
            columns: columns,
            environment: environment,
            in: scratch,
            signal: signal,
            program: program
        )
    }

    static func run(
        _ arguments: [String],
        stdin: String = "",
        columns: Int? = nil,
        environment: [String: String] = [:],
        in scratch: Scratch,
        signal: Int32? = nil,
        program: String = Self.program
    ) throws -> Outcome {
        let (input, out, words) = ("\(scratch.path)/in", "\(scratch.path)/out", "\(scratch.path)/err")
        let file = open(input, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0o600)
        _ = stdin.withCString { write(file, $0, strlen($0)) }
        close(file)

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, out, O_CREAT | O_TRUNC | O_WRONLY, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, words, O_CREAT | O_TRUNC | O_WRONLY, 0o600)

        var variables = ["AGENTD_CONTROL": scratch.socket, "PATH": "/usr/bin:/bin"]
        if let library = getenv("LD_LIBRARY_PATH") { variables["LD_LIBRARY_PATH"] = String(cString: library) }
        if let columns { variables["COLUMNS"] = String(columns) }
        variables.merge(environment) { $1 }
        let argv = strings([program] + arguments)
        let envp = strings(variables.map { "\($0)=\($1)" })
        defer { for pointer in argv + envp { free(pointer) } }

        var pid: pid_t = 0
        var result: Int32
        repeat {
            // ETXTBSY: a process that was started elsewhere just now still holds a fresh copy open for writing.
            result = posix_spawn(&pid, program, &actions, nil, argv, envp)
        } while result == ETXTBSY
        try #require(result == 0)
        if let signal {
            while text(out).isEmpty, kill(pid, 0) == 0 { sched_yield() }
            kill(pid, signal)
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let code = status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f)
        return Outcome(code: code, out: text(out), words: text(words))
    }

    private static func strings(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] {
        texts.map { strdup($0) } + [nil]
    }

    private static func text(_ path: String) -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = fread(&block, 1, block.count, file)
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += block[..<count]
        }
    }
}

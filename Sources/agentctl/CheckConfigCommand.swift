// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Glibc

struct CheckConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Check a configuration file with the agentd beside this agentctl, or on $PATH.",
        discussion: "Ends with 78 if the file is not valid, and names every fault."
    )

    @Argument(help: ArgumentHelp("The file to check.", valueName: "file"))
    var file: String

    /// agentd takes this process over, so that its words and its exit code are its own.
    func run() throws {
        let arguments = ["agentd", "--check-config", "--config", file]
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        if let beside = Self.besideThis { execv(beside, &pointers) }
        execvp("agentd", &pointers)
        Console.say("agentctl: agentd is neither beside agentctl nor on $PATH: \(String(cString: strerror(errno)))")
        throw ExitCode.failure
    }

    private static var besideThis: String? {
        guard let resolved = realpath("/proc/self/exe", nil) else { return nil }
        defer { free(resolved) }
        let path = String(cString: resolved)
        guard let slash = path.lastIndex(of: "/") else { return nil }
        return "\(path[...slash])agentd"
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import AgentSystemd
internal import Glibc

/// The folders of the sockets. The one that the default configuration names is made where it is missing, because no
/// package did it; others are the operator's, and one that is missing may be misspelt.
enum SocketFolders {
    /// - Throws: ``StartError`` with the command that makes what is missing.
    static func prepare(_ paths: [(setting: String, path: String)], mayMake: Set<String>) throws(StartError) {
        for (setting, path) in paths where !path.isEmpty {
            let folder = folder(of: path)
            var status = stat()
            if stat(folder, &status) == 0 {
                guard status.st_mode & S_IFMT == S_IFDIR else { throw StartError(notAFolder(folder, setting)) }
                continue
            }
            guard errno == ENOENT else {
                throw StartError(
                    "Cannot reach the folder \(LogText.escaped(folder)) of \(setting): \(systemMessage(errno))."
                )
            }
            var refusal = ""
            if mayMake.contains(folder) {
                if mkdir(folder, 0o755) == 0 {
                    // Whatever the umask took away: clients of other users have to get in.
                    _ = chmod(folder, 0o755)
                    continue
                }
                refusal = ", and it cannot be made (\(systemMessage(errno)))"
            }
            throw StartError(
                "There is no folder \(LogText.escaped(folder)) for \(setting)\(refusal). Make it: "
                    + command(making: folder)
            )
        }
    }

    static let ofDefaults: Set<String> = {
        let listen = Settings().listen
        return Set([listen.socket, listen.controlSocket].map(folder(of:)))
    }()

    private static func notAFolder(_ path: String, _ setting: String) -> String {
        "\(LogText.escaped(path)) is not a folder, and \(setting) is in it. Move it away, or set another path."
    }

    /// For a shell, and for root where this is another user.
    private static func command(making folder: String) -> String {
        let user = geteuid()
        let owner = user == 0 ? "" : " -o \(getpwuid(user).map { String(cString: $0.pointee.pw_name) } ?? String(user))"
        let plain = folder.utf8.allSatisfy { byte in
            let scalar = Unicode.Scalar(byte)
            return scalar.properties.isAlphabetic && byte < 0x80 || "0123456789/._-+".unicodeScalars.contains(scalar)
        }
        return "install -d -m 0755\(owner) \(plain ? folder : "'\(LogText.escaped(folder))'")"
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }
}

/// Why the agent cannot start, and what to do about it, in one sentence or two.
struct StartError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

func systemMessage(_ number: Int32) -> String { String(cString: strerror(number)) }

// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Paths as the AWS tools take them from the environment: with `~`, `~user`, `$NAME` and `${NAME}`.
struct PathExpansion {
    let environment: Environment

    /// - Returns: `nil` where the path begins with `~` and there is no such home.
    func expand(_ path: String) -> String? {
        let path = withVariables(path)
        guard path.first == "~" else { return path }
        let end = path.firstIndex(of: "/") ?? path.endIndex
        let user = path[path.index(after: path.startIndex)..<end]
        let home = user.isEmpty ? environment["HOME"] ?? Self.homeOfAccount() : Self.home(of: String(user))
        // A relative home would depend on where the agent was started.
        guard let home, home.first == "/" else { return nil }
        return (home.last == "/" ? String(home.dropLast()) : home) + path[end...]
    }

    /// A variable that is not set stays as it is written.
    private func withVariables(_ path: String) -> String {
        var result = ""
        var rest = path[...]
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            let after = rest[rest.index(after: dollar)...]
            let (name, end) = Self.variable(after)
            result += name.flatMap { environment[$0] } ?? String(rest[dollar..<end])
            rest = rest[end...]
        }
        return result + rest
    }

    /// The name that stands there, and where what follows it begins.
    private static func variable(_ text: Substring) -> (name: String?, end: String.Index) {
        if text.first == "{" {
            guard let close = text.firstIndex(of: "}") else { return (nil, text.startIndex) }
            return (String(text[text.index(after: text.startIndex)..<close]), text.index(after: close))
        }
        let name = text.prefix { $0 == "_" || $0.isLetter || $0.isNumber }
        return (name.isEmpty ? nil : String(name), name.endIndex)
    }

    /// Of the account that the agent runs as, from the password file: services are often started without HOME.
    static func homeOfAccount() -> String? {
        lookUp { entry, buffer, size, found in getpwuid_r(getuid(), entry, buffer, size, found) }
    }

    private static func home(of user: String) -> String? {
        lookUp { entry, buffer, size, found in getpwnam_r(user, entry, buffer, size, found) }
    }

    private typealias LookUp = (
        UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int,
        UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
    ) -> Int32

    private static func lookUp(_ call: LookUp) -> String? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16 << 10) { buffer in
            guard let start = buffer.baseAddress, call(&entry, start, buffer.count, &found) == 0, found != nil,
                let home = entry.pw_dir
            else { return nil }
            return String(cString: home)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0

import AgentSystemd
import Glibc
import Testing

/// A service manager's end of `$NOTIFY_SOCKET`, for a process of its own: it changes the environment.
private final class Manager {
    private let path: String
    private let descriptor: Int32

    init() {
        path = "/tmp/agentd-notify-\(getpid()).sock"
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        precondition(result == 0)
        setenv("NOTIFY_SOCKET", path, 1)
    }

    func remove() {
        close(descriptor)
        unlink(path)
    }

    /// The next message, which must have arrived already.
    func message() -> String {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        return count < 0 ? "(none)" : String(decoding: bytes[..<count], as: UTF8.self)
    }
}

@Suite struct NotifierTests {
    @Test func messagesAreThoseOfTheProtocol() async {
        await #expect(processExitsWith: .success) {
            let manager = Manager()
            defer { manager.remove() }
            let notifier = Notifier()
            #expect(notifier.ready() == .sent)
            #expect(manager.message() == "READY=1")
            #expect(notifier.status("12 events queued,\nREADY=1") == .sent)
            #expect(manager.message() == "STATUS=12 events queued, READY=1")
            notifier.watchdog()
            #expect(manager.message() == "WATCHDOG=1")
            notifier.extendTimeout(.milliseconds(1500))
            #expect(manager.message() == "EXTEND_TIMEOUT_USEC=1500000")
            notifier.stopping()
            #expect(manager.message() == "STOPPING=1")
            #expect(manager.message() == "(none)")
        }
    }

    @Test func reloadingCarriesTheMonotonicTime() async {
        await #expect(processExitsWith: .success) {
            let manager = Manager()
            defer { manager.remove() }
            Notifier().reloading()
            let lines = manager.message().split(separator: "\n")
            #expect(lines.first == "RELOADING=1")
            let time = try #require(lines.last?.split(separator: "=").last.flatMap { Int64($0) })
            var now = timespec()
            clock_gettime(CLOCK_MONOTONIC, &now)
            #expect(time > 0 && time <= Int64(now.tv_sec + 1) * 1_000_000)
        }
    }

    @Test func aManagerThatReadsNothingKeepsNobodyWaiting() async {
        await #expect(processExitsWith: .success) {
            let manager = Manager()
            defer { manager.remove() }
            let notifier = Notifier()
            // More than a socket holds: net.unix.max_dgram_qlen is 10 to 512 everywhere.
            let outcomes = (0..<2000).map { _ in notifier.watchdog() }
            #expect(outcomes.first == .sent)
            #expect(outcomes.last == .failed(EAGAIN))
            _ = manager.message()
            #expect(notifier.ready() == .sent)
        }
    }

    @Test func abstractNamesAreReached() async {
        await #expect(processExitsWith: .success) {
            let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            let name = Array("agentd-notify-\(getpid())".utf8)
            withUnsafeMutableBytes(of: &address.sun_path) { $0[1...].copyBytes(from: name) }
            let length = MemoryLayout<sa_family_t>.size + 1 + name.count
            let bound = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(length)) }
            }
            #expect(bound == 0)
            setenv("NOTIFY_SOCKET", "@" + String(decoding: name, as: UTF8.self), 1)
            #expect(Notifier().ready() == .sent)
            var bytes = [UInt8](repeating: 0, count: 64)
            let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
            #expect(String(decoding: bytes[..<max(0, count)], as: UTF8.self) == "READY=1")
        }
    }

    @Test func withoutAManagerNothingHappens() async {
        await #expect(processExitsWith: .success) {
            unsetenv("NOTIFY_SOCKET")
            #expect(Notifier().ready() == .notWanted)
        }
    }

    @Test func aManagerThatCannotBeReachedIsReported() async {
        await #expect(processExitsWith: .success) {
            setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1)
            #expect(Notifier().ready() == .failed(ENOENT))
        }
    }

    @Test func theWatchdogIsOnlyForTheProcessThatIsMeant() async {
        await #expect(processExitsWith: .success) {
            unsetenv("WATCHDOG_USEC")
            #expect(Notifier().watchdogInterval == nil)
            setenv("WATCHDOG_USEC", "30000000", 1)
            setenv("WATCHDOG_PID", "\(getpid())", 1)
            #expect(Notifier().watchdogInterval == .seconds(30))
            setenv("WATCHDOG_PID", "1", 1)
            #expect(Notifier().watchdogInterval == nil)
        }
    }
}

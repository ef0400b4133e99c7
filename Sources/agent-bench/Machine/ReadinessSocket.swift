// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// The end that systemd has of `NOTIFY_SOCKET`: hears when a service says that it is ready.
final class ReadinessSocket {
    let path: String
    private let descriptor: Int32

    init(path: String) throws(BenchError) {
        self.path = path
        var address = try UnixAddress.make(path)
        unlink(path)
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .system(call: "socket", object: path, errno: errno) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafeBytes(of: &address) {
            bind(descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress, size)
        }
        guard result == 0 else { throw .system(call: "bind", object: path, errno: errno) }
    }

    /// Later messages are not for us, and find nobody.
    deinit {
        close(descriptor)
        unlink(path)
    }

    /// - Returns: When READY=1 came, on the monotonic clock.
    func wait(for child: ChildProcess, seconds: Double) throws(BenchError) -> UInt64 {
        let deadline = Monotonic.after(seconds: seconds)
        var message = [UInt8](repeating: 0, count: 4096)
        while Monotonic.now() < deadline {
            try Interruption.check()
            try child.checkIsRunning()
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 20) > 0 else { continue }
            let now = Monotonic.now()
            let count = recv(descriptor, &message, message.count, 0)
            let lines = message[..<max(0, count)].split(separator: UInt8(ascii: "\n"))
            if lines.contains(where: { $0.elementsEqual("READY=1".utf8) }) { return now }
        }
        throw child.failure("was not ready within \(Text.fixed(seconds, 0)) s")
    }
}

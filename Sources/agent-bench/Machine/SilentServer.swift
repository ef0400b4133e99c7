// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// An endpoint that hangs: connections to it are made, by the kernel alone, and nothing is ever read or answered.
final class SilentServer {
    let port: UInt16
    private let descriptor: Int32

    init() throws(BenchError) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .system(call: "socket", object: "127.0.0.1", errno: errno) }
        do throws(BenchError) {
            port = try Address.bindToFreePort(descriptor)
            guard listen(descriptor, 128) == 0 else {
                throw .system(call: "listen", object: "127.0.0.1", errno: errno)
            }
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }
}

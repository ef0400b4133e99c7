// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import AgentSystemd

private func listening(_ family: Int32) -> Int32 {
    let descriptor = socket(family, Int32(SOCK_STREAM.rawValue), 0)
    if family == AF_UNIX {
        // An address of the family alone gets a name of the kernel's choice, outside of the file system.
        var address = sockaddr(sa_family: sa_family_t(AF_UNIX), sa_data: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
        precondition(bind(descriptor, &address, socklen_t(MemoryLayout<sa_family_t>.size)) == 0)
    }
    precondition(listen(descriptor, 1) == 0)
    return descriptor
}

@Suite struct SocketActivationTests {
    @Test func socketsAreToldApartByWhatTheyAre() {
        let (unix, internet, idle) = (
            listening(AF_UNIX), listening(AF_INET), socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        )
        defer { for descriptor in [unix, internet, idle] { close(descriptor) } }
        #expect(SocketActivation.kind(of: unix) == .unix)
        #expect(SocketActivation.kind(of: internet) == .internet)
        #expect(SocketActivation.kind(of: idle) == .other)
    }

    @Test func handedOverSocketsAreTakenOnceWithTheirNames() async {
        await #expect(processExitsWith: .success) {
            // The test's own process may use the descriptors in which sockets are handed over: borrow them.
            let borrowed = [(3, fcntl(3, F_DUPFD, 100)), (4, fcntl(4, F_DUPFD, 100))] as [(Int32, Int32)]
            let sockets = [fcntl(listening(AF_UNIX), F_DUPFD, 200), fcntl(listening(AF_INET), F_DUPFD, 200)]
            dup2(sockets[0], 3)
            dup2(sockets[1], 4)
            setenv("LISTEN_PID", "\(getpid())", 1)
            setenv("LISTEN_FDS", "2", 1)
            setenv("LISTEN_FDNAMES", "control:http", 1)
            let taken = SocketActivation.take()
            let isClosedOnExec = taken.allSatisfy { fcntl($0.descriptor, F_GETFD) & FD_CLOEXEC != 0 }
            let again = SocketActivation.take()
            for (number, copy) in borrowed where copy >= 0 { dup2(copy, number) }
            #expect(
                taken == [
                    ActivatedSocket(descriptor: 3, name: "control", kind: .unix),
                    ActivatedSocket(descriptor: 4, name: "http", kind: .internet),
                ]
            )
            #expect(isClosedOnExec)
            #expect(again.isEmpty && getenv("LISTEN_FDS") == nil)
        }
    }

    @Test func socketsForAnotherProcessAreNotTaken() async {
        await #expect(processExitsWith: .success) {
            setenv("LISTEN_PID", "1", 1)
            setenv("LISTEN_FDS", "1", 1)
            #expect(SocketActivation.take().isEmpty)
        }
    }
}

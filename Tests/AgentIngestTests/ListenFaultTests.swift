// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore
import Testing

@testable import AgentIngest

@Suite struct ListenFaultTests {
    private static let table = """
          sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
           0: 0100007F:1F8D 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0 100 0 0 10
           1: 0100007F:1F8D 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 777 1 0 20 4 30 10 -1
           2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 99 1 0 100 0 0 10 0

        """

    @Test func onlyWhoListensOnThePortHoldsIt() {
        #expect(PortHolder.inodes(listeningOn: 8077, table: Self.table) == ["12345"])
        #expect(PortHolder.inodes(listeningOn: 22, table: Self.table) == ["99"])
        #expect(PortHolder.inodes(listeningOn: 40000, table: Self.table) == [])
        #expect(PortHolder.inodes(listeningOn: 22, table: "") == [])
    }

    @Test(arguments: [
        (EADDRNOTAVAIL, 8077, "this machine has no such address"),
        (EACCES, 80, "ports below 1024 need a privilege"),
        (EAFNOSUPPORT, 8077, "this machine has no IPv6"),
        (ENOBUFS, 8077, "No buffer space available"),
    ])
    func theSystemsRefusalIsPutIntoWords(number: CInt, port: Int, words: String) {
        let reason = ListenFault.reason(IOError(errnoCode: number, reason: "bind(descriptor:ptr:bytes:)"), port: port)
        #expect(reason.hasPrefix(words))
        #expect(reason.contains("listen.http") && !reason.contains("descriptor"))
    }
}

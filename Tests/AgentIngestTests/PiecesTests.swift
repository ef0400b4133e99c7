// SPDX-License-Identifier: Apache-2.0

import AgentCore
import NIOCore
import Testing

@testable import AgentIngest

/// Small parts that decide something by themselves.
struct PiecesTests {
    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00"), (784_111_777, "Sun, 06 Nov 1994 08:49:37"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00"), (1_709_251_199, "Thu, 29 Feb 2024 23:59:59"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00"),
    ])
    func datesAreWrittenAsHTTPWantsThem(seconds: Int, text: String) {
        #expect(HTTPDate.field(seconds) == "Date: \(text) GMT\r\n")
    }

    @Test func tokensAreThoseOfTheStandard() {
        let others = "!#$%&'*+-.^_`|~".utf8
        for byte in UInt8.min...UInt8.max {
            let isAlphanumeric = Unicode.Scalar(byte).properties.isAlphabetic && byte < 128 || FieldBytes.isDigit(byte)
            #expect(FieldBytes.isToken(byte) == (isAlphanumeric || others.contains(byte)), "\(byte)")
        }
    }

    @Test func valuesHaveNoControlCharacters() {
        for length in 0..<20 {
            for at in 0..<length {
                for byte in UInt8.min...UInt8.max {
                    var bytes = [UInt8](repeating: 0xe9, count: length)
                    bytes[at] = byte
                    let isValue = bytes.withUnsafeBytes { FieldBytes.isValue($0) }
                    #expect(isValue == (byte >= 0x20 && byte != 0x7f || byte == 0x09))
                }
            }
        }
    }

    @Test(arguments: [
        ("localhost", true), ("LOCALHOST:80", true), ("127.0.0.1", true), ("127.255.0.9:1", true), ("[::1]", true),
        ("[::1]:8077", true), ("127.0.0.1.example", false), ("127.1", false), ("127..0.1", false), ("128.0.0.1", false),
        ("localhost.example", false), ("", false), ("[::2]", false), ("127.0.0.1234", false), ("127.0.0.", false),
    ])
    func loopbackIsKnownByName(host: String, isLoopback: Bool) {
        #expect(Array(host.utf8).withUnsafeBytes { HostName.isLoopback($0) } == isLoopback)
    }

    @Test(arguments: [
        ("192.0.2.7", "192.0.2.7", true), ("192.0.2.7", "192.0.2.8", false), ("[2001:db8::1]", "2001:DB8:0:0::1", true),
        ("192.0.2.7", "::ffff:192.0.2.7", true), ("192.0.2.7.example", "192.0.2.7", false), ("", "192.0.2.7", false),
        ("[::ffff:192.0.2.7]", "192.0.2.7", true), ("agent", "192.0.2.7", false),
    ])
    func aHostIsTheAddressThatARequestCameToHoweverItIsWritten(host: String, address: String, isSame: Bool) throws {
        #expect(HostName.names(host, try SocketAddress(ipAddress: address, port: 8077)) == isSame)
    }
}

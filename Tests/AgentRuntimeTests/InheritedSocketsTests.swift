// SPDX-License-Identifier: Apache-2.0
import AgentSystemd
import Testing

@testable import AgentRuntime

struct InheritedSocketsTests {
    private static func socket(_ number: Int32, _ name: String, _ kind: ActivatedSocket.Kind) -> ActivatedSocket {
        ActivatedSocket(descriptor: number, name: name, kind: kind)
    }

    @Test(arguments: [
        ("http", "ingest", "control"), ("agentd-http.socket", "agentd-ingest.socket", "agentd-control.socket"),
    ])
    func eachGoesToTheDoorThatItIsNamedFor(http: String, ingest: String, control: String) throws {
        let sockets = try InheritedSockets([
            Self.socket(3, control, .unix), Self.socket(4, http, .internet), Self.socket(5, ingest, .unix),
        ])
        #expect(sockets.control == 3 && sockets.ingest == [4, 5])
        #expect(sockets.hasHTTP && sockets.hasUnix)
    }

    @Test func withoutAnyTheAgentListensItself() throws {
        let sockets = try InheritedSockets([])
        #expect(sockets.control == nil && sockets.ingest.isEmpty && !sockets.hasHTTP && !sockets.hasUnix)
    }

    @Test func whatIsOfNoUseIsNamed() {
        for (name, kind) in [
            ("unknown", ActivatedSocket.Kind.unix), ("control", .internet), ("datagrams", .other), ("control", .other),
        ] {
            let fault = #expect(throws: StartError.self) { try InheritedSockets([Self.socket(3, name, kind)]) }
            #expect(fault?.description.contains("'\(name)'") == true)
        }
        let two = [Self.socket(3, "control", .unix), Self.socket(4, "control", .unix)]
        #expect(throws: StartError.self) { try InheritedSockets(two) }
    }
}

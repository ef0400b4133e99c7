// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Foundation
import Testing

@testable import AgentRuntime

@Suite struct KinesisWiringTests {
    private func wiring(_ text: String) throws -> KinesisWiring {
        KinesisWiring(try Settings.parse(text, file: "test.conf"))
    }

    @Test func endpointsComeFromTheConfigurationOrTheTable() throws {
        let aws = try wiring("[streams]\naccept = 'any'\n")
        #expect(
            aws.endpoint(of: Destination(region: "cn-north-1", stream: "s"))
                == "https://kinesis.cn-north-1.amazonaws.com.cn"
        )
        let own = try wiring(
            "[aws]\nendpoint = 'https://vpc.example'\n[[stream]]\nname = 's'\nendpoint = 'https://own.example'\n"
        )
        #expect(own.endpoint(of: Destination(region: "us-east-1", stream: "s")) == "https://own.example")
        #expect(own.endpoint(of: Destination(region: "us-east-1", stream: "t")) == "https://vpc.example")
    }

    /// A queue may hold names that came in before they were checked.
    @Test(arguments: ["x@127.0.0.1:9/", "us-east-1\r\nX-Evil: 1", "", "eu-cental-1"])
    func whatHasNoEndpointIsParkedAndSaysWhy(_ region: String) throws {
        let settings = try wiring("[streams]\naccept = 'any'\n")
            .destinationSettings(of: Destination(region: region, stream: "s"))
        #expect(settings.parkedBecause == KinesisWiring.noSuchRegion)
        #expect(settings.endpoint == "")
    }

    @Test func anEndpointSendsNobodyToARegionThatIsNone() throws {
        let wiring = try wiring("[aws]\nendpoint = 'http://127.0.0.1:9'\n[streams]\naccept = 'any'\n")
        #expect(wiring.endpoint(of: Destination(region: "a b", stream: "s")) == nil)
        #expect(wiring.destinationSettings(of: Destination(region: "eu-new-1", stream: "s")).parkedBecause == nil)
    }

    @Test(arguments: [
        ("http://10.0.0.1:4567", true), ("http://kinesis.example", true), ("http://127.0.0.1:4567", false),
        ("http://localhost", false), ("http://[::1]:4567", false), ("https://kinesis.example", false),
        ("http://[fe80::1]:80", true), ("http://127.0.0.1.example.com", true),
    ])
    func requestsInPlainTextAcrossANetworkAreWarnedOf(_ endpoint: String, _ isPlain: Bool) throws {
        let settings = try Settings.parse("[aws]\nendpoint = '\(endpoint)'\n", file: "test.conf")
        #expect(settings.plainEndpoints == (isPlain ? [endpoint] : []))
    }
}

@Suite struct ProxyTests {
    @Test(arguments: [
        ("http://127.0.0.1:9", ["HTTP_PROXY": "p"], true), ("http://127.0.0.1:9", ["http_proxy": "p"], false),
        ("http://127.0.0.1:9", ["HTTP_PROXY": "p", "http_proxy": "p"], false),
        ("https://kinesis.example", ["HTTP_PROXY": "p"], false),
    ])
    func aProxyNamedInCapitalsIsSaidToBePassedOver(_ endpoint: String, _ set: [String: String], _ isSaid: Bool) throws {
        let settings = try Settings.parse("[aws]\nendpoint = '\(endpoint)'\n", file: "test.conf")
        #expect(settings.isProxyPassedOver { set[$0] } == isSaid)
    }
}

@Suite struct CertificateFileTests {
    private func faults(_ path: String) throws -> [String] {
        try Settings.parse("[aws]\nca_file = '\(path)'\n", file: "test.conf").outsideFaults(file: "test.conf")
            .map(\.description)
    }

    @Test func aFileOfCertificatesMustBeOne() throws {
        let path = NSTemporaryDirectory() + "agentd-ca-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try faults(path).first?.contains("aws.ca_file \(path) cannot be opened") == true)
        for (text, isFile) in [("", false), ("nonsense", false), ("-----BEGIN CERTIFICATE-----\nMII\n", true)] {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            #expect(try faults(path).isEmpty == isFile, "\(text)")
        }
        #expect(try faults("/tmp").first?.contains("not a regular file") == true)
        #expect(try Settings.parse("", file: "test.conf").outsideFaults(file: "test.conf").isEmpty)
    }

    @Test func aPipeInItsPlaceHoldsNobodyUp() throws {
        let path = NSTemporaryDirectory() + "agentd-ca-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try #require(mkfifo(path, 0o600) == 0)
        #expect(try faults(path).first?.contains("not a regular file") == true)
    }
}

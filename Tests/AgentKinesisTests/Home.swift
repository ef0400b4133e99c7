// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Foundation

@testable import AgentKinesis

/// A home directory with an `.aws` folder.
final class Home {
    private let path = NSTemporaryDirectory() + "agentd-aws-\(UUID().uuidString)"
    var credentialsFile: String { path + "/.aws/credentials" }

    init(credentials: String? = nil, config: String? = nil) throws {
        try FileManager.default.createDirectory(atPath: path + "/.aws", withIntermediateDirectories: true)
        if let credentials { try write(credentials: credentials) }
        if let config { try config.write(toFile: path + "/.aws/config", atomically: true, encoding: .utf8) }
    }

    /// No other place, and no question beyond this machine.
    private var alone: [String: String] { ["HOME": path, "AWS_EC2_METADATA_DISABLED": "true"] }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(credentials: String) throws {
        try credentials.write(toFile: credentialsFile, atomically: true, encoding: .utf8)
    }

    func found(_ variables: [String: String] = [:], profile: String? = nil) throws(CredentialError) -> Credentials {
        // The files must outlive the reading.
        defer { withExtendedLifetime(self) {} }
        let environment = Environment(variables.merging(alone) { given, _ in given })
        return try CredentialChain.standard(profile: profile, environment: environment).ask(now: WallTime(seconds: 0))
            .found.get()
    }

    func error(_ variables: [String: String] = [:]) -> CredentialError? {
        do throws(CredentialError) {
            _ = try found(variables)
            return nil
        } catch {
            return error
        }
    }

    /// The chain without any other place, as the files are shared between tests.
    var chain: CredentialChain { .standard(environment: Environment(alone)) }
}

// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import AgentKinesis

/// Against what botocore makes of the same files: Tests/conformance/test_profile_files.py recorded it.
@Suite struct ProfileFileTests {
    struct Entry: Decodable, CustomTestStringConvertible {
        let name: String
        let credentials: String
        let config: String
        let profile: String?
        let botocore: Outcome
        /// Where the agent differs, and says why.
        let agent: Outcome?
        let why: String?

        var testDescription: String { name }
    }

    enum Outcome: Decodable, Equatable {
        case keys([String])
        case none, error

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let keys = try? value.decode([String].self) {
                self = .keys(keys)
            } else {
                // What a role or a process would give is an error here, until it is available.
                self = try value.decode(String.self) == "none" ? .none : .error
            }
        }
    }

    static let table: [Entry] = {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../conformance/profile_files.json")
        guard let data = try? Data(contentsOf: path) else { return [] }
        return (try? JSONDecoder().decode([Entry].self, from: data)) ?? []
    }()

    @Test(arguments: table) func readsAsTheCommandLineDoes(_ entry: Entry) throws {
        let home = try Home(credentials: entry.credentials, config: entry.config)
        var environment: [String: String] = [:]
        if let profile = entry.profile { environment["AWS_PROFILE"] = profile }
        #expect(outcome(home, environment) == entry.agent ?? entry.botocore, "\(entry.why ?? "")")
    }

    @Test func theTableIsThere() { #expect(Self.table.count >= 60) }

    private func outcome(_ home: Home, _ environment: [String: String]) -> Outcome {
        do throws(CredentialError) {
            let found = try home.found(environment)
            return .keys([found.accessKeyID, found.secretAccessKey, found.sessionToken])
        } catch {
            if case .notFound = error { return .none }
            return .error
        }
    }
}

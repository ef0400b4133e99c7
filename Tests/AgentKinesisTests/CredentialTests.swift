// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Foundation
import Synchronization
import Testing

@testable import AgentKinesis

@Suite struct CredentialTests {
    private let now = WallTime(seconds: 1_000_000)

    @Test func environmentComesFirst() throws {
        let home = try Home(credentials: "[default]\naws_access_key_id=FILE\naws_secret_access_key=s\n")
        let found = try home.found(["AWS_ACCESS_KEY_ID": " ENV\n", "AWS_SECRET_ACCESS_KEY": "s"])
        #expect(found.accessKeyID == "ENV")
    }

    @Test(arguments: ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
    func aNamedProfileTurnsTheEnvironmentOff(_ variable: String) throws {
        let home = try Home(credentials: "[p]\naws_access_key_id=FILE\naws_secret_access_key=s\n")
        let variables = ["AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s", variable: "p"]
        #expect(try home.found(variables).accessKeyID == "FILE")
    }

    @Test(arguments: [
        ("[default]\naws_access_key_id = A\naws_secret_access_key = B\naws_session_token = C\n", "", "A/B/C"),
        ("\u{feff}[default]\r\naws_access_key_id=A\r\naws_secret_access_key=B==\r\n", "", "A/B==/"),
        ("", "[default]\naws_access_key_id=A\naws_secret_access_key=B", "A/B/"),
        ("", "[profile default]\naws_access_key_id=A\naws_secret_access_key=B", "A/B/"),
        ("# c\n; c\n[ default ] # c\nAWS_ACCESS_KEY_ID = A # c\naws_secret_access_key = B#b ; c\n", "", "A/B#b/"),
        (
            "[default]\ns3 =\n  aws_access_key_id = WRONG\naws_access_key_id=A\naws_secret_access_key=B\nnonsense\n",
            "", "A/B/"
        ),
        ("[default]\n  aws_access_key_id=A\naws_secret_access_key=B\n", "", "A/B/"),
        (
            "[default]\naws_access_key_id=A\naws_secret_access_key=B\n",
            "[default]\naws_access_key_id=X\naws_secret_access_key=Y\ncredential_process=p\nregion=r\n", "A/B/"
        ),
        ("[default]\naws_access_key_id=A\n[other]\nx=y\n[default]\naws_secret_access_key=B\n", "", "A/B/"),
    ])
    func readsProfiles(_ credentials: String, _ config: String, _ expected: String) throws {
        let found = try Home(credentials: credentials, config: config).found()
        #expect("\(found.accessKeyID)/\(found.secretAccessKey)/\(found.sessionToken)" == expected)
    }

    @Test(arguments: ["[profile my one]", "[profile \"my one\"]", "[ profile  my one ]"])
    func findsAProfileOfAConfigFileByItsName(_ section: String) throws {
        let home = try Home(config: "\(section)\naws_access_key_id=A\naws_secret_access_key=B\n")
        #expect(try home.found(["AWS_PROFILE": "my one"]).accessKeyID == "A")
    }

    @Test(arguments: [
        ("", "[default]\nrole_arn=arn:aws:iam::1:role/r\nsource_profile=x\n", "role_arn"),
        ("[default]\naws_access_key_id=A\naws_secret_access_key=B\nrole_arn=r\n", "", "role_arn"),
        ("", "[default]\nsso_session=s\n", "sso_session"),
        ("", "[default]\ncredential_process=/bin/x\n", "credential_process"),
        ("", "[default]\nrole_arn=r\nweb_identity_token_file=/t\n", "web identity"),
    ])
    func namesWhatAProfileNeedsAndCannotHaveYet(_ credentials: String, _ config: String, _ feature: String) throws {
        let error = try Home(credentials: credentials, config: config).error()
        #expect(error?.code == "credentials_not_available_yet")
        #expect(error?.description.contains(feature) == true)
    }

    @Test func namesTheEnvironmentsOtherPlaces() throws {
        let error = try Home().error(["AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/"])
        #expect(error?.code == "credentials_not_available_yet")
        #expect(error?.description.contains("AWS_CONTAINER_CREDENTIALS_FULL_URI") == true)
    }

    @Test func saysWhereItLooked() throws {
        let home = try Home()
        let error = home.error()
        #expect(error?.code == "no_credentials")
        #expect(error?.description.contains("AWS_ACCESS_KEY_ID") == true)
        #expect(error?.description.contains(home.credentialsFile) == true)
    }

    @Test func halfAKeyIsAnError() throws {
        #expect(try Home().error(["AWS_ACCESS_KEY_ID": "A"])?.code == "credentials_unusable")
        #expect(try Home(credentials: "[default]\naws_access_key_id=A\n").error()?.code == "credentials_unusable")
    }

    @Test func aKeyThatCannotStandInAHeaderIsAnError() throws {
        let variables = ["AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "B", "AWS_SESSION_TOKEN": "a\r\nX-Evil: b"]
        #expect(try Home().error(variables)?.code == "credentials_unusable")
    }

    @Test func aMissingNamedProfileIsAnError() throws {
        let home = try Home(credentials: "[default]\naws_access_key_id=A\naws_secret_access_key=B\n")
        #expect(home.error(["AWS_PROFILE": "gone"])?.code == "no_such_profile")
    }

    @Test func aFileThatCannotBeReadIsAnError() throws {
        let home = try Home()
        try FileManager.default.createDirectory(atPath: home.credentialsFile, withIntermediateDirectories: true)
        #expect(home.error()?.code == "credentials_unreadable")
    }

    @Test func expiredCredentialsAreNotUsed() {
        struct Source: CredentialSource {
            let lookedAt = ""
            func credentials(now: WallTime) -> Credentials? {
                Credentials(accessKeyID: "A", secretAccessKey: "B", expiration: WallTime(seconds: 10), source: "x")
            }
            func invalidate(_: Credentials) {}
        }
        let chain = CredentialChain([Source()])
        #expect(throws: Never.self) { try chain.credentials(now: WallTime(seconds: 9)) }
        #expect(throws: CredentialError.expired(source: "x")) { try chain.credentials(now: WallTime(seconds: 10)) }
    }

    @Test func aChangedFileIsReadAgainAfterAWhile() throws {
        let home = try Home(credentials: "[default]\naws_access_key_id=A\naws_secret_access_key=B\n")
        let time = Mutex(Instant(nanoseconds: 0))
        let profiles = home.profiles { time.withLock { $0 } }
        #expect(try profiles.credentials(now: now)?.accessKeyID == "A")
        try home.write(credentials: "[default]\naws_access_key_id=LATER\naws_secret_access_key=B\n")
        time.withLock { $0 = $0 + .seconds(1) }
        #expect(try profiles.credentials(now: now)?.accessKeyID == "A")
        time.withLock { $0 = $0 + .seconds(1) }
        #expect(try profiles.credentials(now: now)?.accessKeyID == "LATER")
    }

    @Test func refusedCredentialsAreReadAgainAtOnce() throws {
        let home = try Home(credentials: "[default]\naws_access_key_id=A\naws_secret_access_key=B\n")
        let profiles = home.profiles { .zero }
        let old = try #require(try profiles.credentials(now: now))
        try home.write(credentials: "[default]\naws_access_key_id=LATER\naws_secret_access_key=B\n")
        profiles.invalidate(Credentials(accessKeyID: "NOBODY", secretAccessKey: "B", source: "x"))
        #expect(try profiles.credentials(now: now)?.accessKeyID == "A")
        profiles.invalidate(old)
        #expect(try profiles.credentials(now: now)?.accessKeyID == "LATER")
    }

    @Test func printingShowsNoSecret() {
        let credentials = Credentials(accessKeyID: "A", secretAccessKey: "hush", sessionToken: "hush", source: "x")
        var dumped = ""
        dump(credentials, to: &dumped)
        let texts = [
            "\(credentials)", String(reflecting: credentials), String(describing: Optional(credentials)), dumped,
        ]
        for text in texts { #expect(!text.contains("hush")) }
    }
}

/// A home directory with an `.aws` folder.
private final class Home {
    private let path = NSTemporaryDirectory() + "agentd-aws-\(UUID().uuidString)"
    var credentialsFile: String { path + "/.aws/credentials" }

    init(credentials: String? = nil, config: String? = nil) throws {
        try FileManager.default.createDirectory(atPath: path + "/.aws", withIntermediateDirectories: true)
        if let credentials { try write(credentials: credentials) }
        if let config { try config.write(toFile: path + "/.aws/config", atomically: true, encoding: .utf8) }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(credentials: String) throws {
        try credentials.write(toFile: credentialsFile, atomically: true, encoding: .utf8)
    }

    func found(_ variables: [String: String] = [:]) throws(CredentialError) -> Credentials {
        // The files must outlive the reading.
        defer { withExtendedLifetime(self) {} }
        let environment = Environment(variables.merging(["HOME": path]) { given, _ in given })
        return try CredentialChain.standard(environment: environment).credentials(now: WallTime(seconds: 0))
    }

    func error(_ variables: [String: String] = [:]) -> CredentialError? {
        do throws(CredentialError) {
            _ = try found(variables)
            return nil
        } catch {
            return error
        }
    }

    func profiles(_ monotonic: @escaping @Sendable () -> Instant) -> ProfileCredentials {
        ProfileCredentials(
            profile: nil,
            credentialsFile: credentialsFile,
            configFile: path + "/.aws/config",
            monotonic: monotonic
        )
    }
}

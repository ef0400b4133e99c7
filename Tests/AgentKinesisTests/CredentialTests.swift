// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Foundation
import Testing

@testable import AgentKinesis

@Suite struct CredentialTests {
    @Test func environmentComesFirst() throws {
        let home = try Home(credentials: "[default]\naws_access_key_id=FILE\naws_secret_access_key=s\n")
        let found = try home.found(["AWS_ACCESS_KEY_ID": " ENV\n", "AWS_SECRET_ACCESS_KEY": "s"])
        #expect(found.accessKeyID == "ENV")
    }

    @Test(arguments: [
        ("[default]\naws_access_key_id = A\naws_secret_access_key = B\naws_session_token = C\n", "", "A/B/C"),
        ("\u{feff}[default]\r\naws_access_key_id=A\r\naws_secret_access_key=B==\r\n", "", "A/B==/"),
        ("", "[default]\naws_access_key_id=A\naws_secret_access_key=B", "A/B/"),
        ("", "[profile default]\naws_access_key_id=A\naws_secret_access_key=B", "A/B/"),
        ("# c\n; c\n[ default ] # c\nAWS_ACCESS_KEY_ID = A # c\naws_secret_access_key = B#b ; c\n", "", "A/B#b/"),
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
        ("", "[default]\nsso_session=s\n", "sso_session"),
        ("", "[default]\nlogin_session=s\n", "login_session"),
    ])
    func namesWhatAProfileNeedsAndCannotHaveYet(_ credentials: String, _ config: String, _ feature: String) throws {
        let error = try Home(credentials: credentials, config: config).error()
        #expect(error?.code == "credentials_not_available_yet")
        #expect(error?.description.contains(feature) == true)
    }

    @Test func aWebIdentityWithoutARoleIsAnError() throws {
        let error = try Home().error(["AWS_WEB_IDENTITY_TOKEN_FILE": "/token"])
        #expect(error?.code == "credentials_unusable")
        #expect(error?.description.contains("AWS_WEB_IDENTITY_TOKEN_FILE") == true)
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

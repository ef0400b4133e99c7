// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Foundation
import Testing

@testable import AgentKinesis

@Suite struct RoleTests {
    private let arn = "arn:aws:iam::123456789012:role/edge"

    private static func answer(_ id: String, action: String = "AssumeRole") -> String {
        """
        <\(action)Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><\(action)Result><AssumedRoleUser>
        <Arn>arn:x</Arn></AssumedRoleUser><Credentials><AccessKeyId>\(id)</AccessKeyId>
        <SecretAccessKey>S/&amp;</SecretAccessKey><SessionToken>T==</SessionToken>
        <Expiration>2030-01-02T03:04:05Z</Expiration></Credentials></\(action)Result></\(action)Response>
        """
    }

    private func server(_ ids: String...) -> ScriptedServer { ScriptedServer(ids.map { .answer(Self.answer($0)) }) }

    private func sts(_ server: ScriptedServer, _ more: [String: String] = [:]) -> [String: String] {
        more.merging(["AWS_ENDPOINT_URL_STS": server.url]) { a, _ in a }
    }

    private func body(_ request: ScriptedServer.Request) -> [String: String] {
        var fields: [String: String] = [:]
        for field in String(decoding: request.body, as: UTF8.self).split(separator: "&") {
            let parts = field.split(separator: "=", maxSplits: 1).map { String($0).removingPercentEncoding ?? "" }
            fields[parts[0]] = parts.count > 1 ? parts[1] : ""
        }
        return fields
    }

    /// The access key id that a request is signed with, and the scope.
    private func signer(_ request: ScriptedServer.Request) -> String? {
        request.values("authorization").first?.firstMatch(of: /Credential=([^,]+),/).map { String($0.1) }
    }

    private let keys = "[base]\naws_access_key_id=BASE\naws_secret_access_key=s\naws_session_token=bt\n"

    // MARK: Web identity

    @Test func aWebIdentityIsAskedForUnsignedWithTheFilesTokenEachTime() throws {
        let file = NSTemporaryDirectory() + "agentd-identity-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: file) }
        let server = server("A", "B")
        let variables = sts(
            server,
            ["AWS_WEB_IDENTITY_TOKEN_FILE": file, "AWS_ROLE_ARN": arn, "AWS_ROLE_SESSION_NAME": "pod=1"]
        )
        let home = try Home()
        for (token, id) in [("first+/=", "A"), ("second", "B")] {
            try "\(token)\n".write(toFile: file, atomically: true, encoding: .utf8)
            let found = try home.found(variables)
            #expect("\(found.accessKeyID) \(found.secretAccessKey) \(found.sessionToken)" == "\(id) S/& T==")
            #expect(found.expiration == WallTime(seconds: 1_893_553_445))
            #expect(found.source.contains(arn))
        }
        let requests = server.requests()
        #expect(requests.allSatisfy { $0.head.hasPrefix("POST / HTTP/1.1\r\n") && $0.values("authorization").isEmpty })
        let expected = [
            "Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": arn, "RoleSessionName": "pod=1",
            "WebIdentityToken": "first+/=",
        ]
        #expect(body(requests[0]) == expected)
        #expect(body(requests[1])["WebIdentityToken"] == "second")
    }

    @Test func aProfileMayNameAWebIdentity() throws {
        let file = NSTemporaryDirectory() + "agentd-identity-\(UUID().uuidString)"
        try "token".write(toFile: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: file) }
        let server = server("A")
        let home = try Home(config: "[default]\nrole_arn=\(arn)\nweb_identity_token_file=\(file)\n")
        #expect(try home.found(sts(server)).accessKeyID == "A")
        let sent = body(server.requests()[0])
        #expect(sent["WebIdentityToken"] == "token" && sent["RoleSessionName"] == "agentd")
    }

    @Test func aTokenFileThatIsMissingOrEmptyIsSaid() throws {
        let missing = ["AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent/token", "AWS_ROLE_ARN": arn]
        #expect(try Home().error(missing)?.code == "credentials_unreadable")
        let empty = try Home(credentials: "\n")
        let error = empty.error(["AWS_WEB_IDENTITY_TOKEN_FILE": empty.credentialsFile, "AWS_ROLE_ARN": arn])
        #expect(error?.code == "credentials_unusable")
    }

    // MARK: Assumed roles

    @Test func aRoleIsAssumedWithTheSourceProfilesKeys() throws {
        let server = server("A")
        let home = try Home(
            credentials: keys,
            config: """
                [default]
                role_arn = \(arn)
                source_profile = base
                external_id = ext/id
                role_session_name = me
                duration_seconds = 900

                """
        )
        #expect(try home.found(sts(server)).accessKeyID == "A")
        let sent = server.requests()[0]
        #expect(signer(sent) == "BASE/19700101/us-east-1/sts/aws4_request")
        #expect(sent.values("x-amz-security-token") == ["bt"])
        let expected = [
            "Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": arn, "RoleSessionName": "me",
            "ExternalId": "ext/id", "DurationSeconds": "900",
        ]
        #expect(body(sent) == expected)
    }

    @Test func aRoleMayBeAssumedByARole() throws {
        let server = server("MIDDLE", "END")
        let home = try Home(
            credentials: keys,
            config: """
                [default]
                role_arn = \(arn)2
                source_profile = middle
                [profile middle]
                role_arn = \(arn)1
                source_profile = base

                """
        )
        #expect(try home.found(sts(server)).accessKeyID == "END")
        let requests = server.requests()
        #expect(requests.map { body($0)["RoleArn"] } == ["\(arn)1", "\(arn)2"])
        #expect(requests.compactMap { signer($0)?.prefix { $0 != "/" } } == ["BASE", "MIDDLE"])
    }

    @Test func aProfileMayAssumeARoleWithItsOwnKeys() throws {
        let server = server("A")
        let own = "[default]\naws_access_key_id=OWN\naws_secret_access_key=s\nrole_arn=\(arn)\nsource_profile=default\n"
        #expect(try Home(credentials: own).found(sts(server)).accessKeyID == "A")
        #expect(signer(server.requests()[0])?.hasPrefix("OWN/") == true)
    }

    @Test(arguments: [
        "[default]\nrole_arn=r\nsource_profile=default\n",
        "[default]\nrole_arn=r\nsource_profile=a\n[profile a]\nrole_arn=r\nsource_profile=default\n",
        """
        [default]\nrole_arn=r\nsource_profile=a\n[profile a]\nrole_arn=r\nsource_profile=b\n[profile b]\nrole_arn=r
        source_profile=a\n
        """,
    ])
    func aCircleOfProfilesIsSaid(_ config: String) throws {
        let error = try Home(config: config).error()
        #expect(error?.code == "credentials_unusable")
        #expect(error?.description.contains("leads back") == true)
    }

    @Test func theCredentialSourceIsAsked() throws {
        func config(_ place: String) -> String { "[default]\nrole_arn=\(arn)\ncredential_source=\(place)\n" }
        let document = #"{"AccessKeyId":"GIVEN","SecretAccessKey":"S","Token":"T","Expiration":"2030-01-02T03:04:05Z"}"#
        let container = ScriptedServer([.answer(document)])
        let instance = ScriptedServer([.answer("t"), .answer("r"), .answer(document)])
        let places = [
            ("EcsContainer", ["AWS_CONTAINER_CREDENTIALS_FULL_URI": container.url + "/"]),
            (
                "Ec2InstanceMetadata",
                ["AWS_EC2_METADATA_SERVICE_ENDPOINT": instance.url, "AWS_EC2_METADATA_DISABLED": "false"]
            ),
        ]
        for (place, variables) in places {
            let server = server("A")
            #expect(try Home(config: config(place)).found(sts(server, variables)).accessKeyID == "A")
            #expect(signer(server.requests()[0])?.hasPrefix("GIVEN/") == true)
        }
        // With the profile configured, the environment's keys are only who assumes the role.
        let server = server("A")
        let variables = ["AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s"]
        let home = try Home(config: config("Environment"))
        #expect(try home.found(sts(server, variables), profile: "default").accessKeyID == "A")
        #expect(signer(server.requests()[0])?.hasPrefix("ENV/") == true)
    }

    @Test(arguments: [
        ("role_arn=r\n", "credentials_unusable", "source_profile or a credential_source"),
        ("role_arn=r\nsource_profile=a\ncredential_source=Environment\n", "credentials_unusable", "both"),
        ("role_arn=r\ncredential_source=Elsewhere\n", "credentials_unusable", "Ec2InstanceMetadata"),
        ("role_arn=r\ncredential_source=EcsContainer\n", "credentials_refused", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        ("role_arn=r\nsource_profile=gone\n", "no_such_profile", "gone"),
        ("role_arn=r\nsource_profile=e\n[profile e]\nregion=r\n", "credentials_unusable", "'e' has no credentials"),
        ("role_arn=r\nsource_profile=a\nmfa_serial=m\n", "credentials_not_available_yet", "mfa_serial"),
        ("web_identity_token_file=/t\n", "credentials_unusable", "role_arn"),
    ])
    func aProfileThatCannotBeFollowedSaysWhy(_ settings: String, _ code: String, _ words: String) throws {
        let error = try Home(config: "[default]\n" + settings).error()
        #expect(error?.code == code)
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "no error")")
    }

    // MARK: The service

    @Test(arguments: [
        (
            "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no &lt;you&gt; with bt-secret-token"
                + "</Message></Error></ErrorResponse>", 403, "HTTP 403: AccessDenied: no <you>"
        ),
        ("{}", 500, "HTTP 500"), ("", 200, "no XML"), ("<a/>", 200, "no complete credentials"),
        ("<a><Credentials><AccessKeyId>A</AccessKeyId></Credentials></a>", 200, "no complete credentials"),
        ("<ErrorResponse/>", 503, "HTTP 503"),
    ])
    func anAnswerWithoutCredentialsSaysWhy(_ body: String, _ status: Int, _ words: String) throws {
        let server = ScriptedServer([.answer(body, status: status)])
        let base = "[base]\naws_access_key_id=BASE\naws_secret_access_key=s\naws_session_token=bt-secret-token\n"
        let home = try Home(credentials: base, config: "[default]\nrole_arn=\(arn)\nsource_profile=base\n")
        let error = home.error(sts(server))
        #expect(error?.code == "credentials_refused")
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "no error")")
        #expect(error?.description.contains(arn) == true && error?.description.contains("bt-secret-token") == false)
    }

    @Test(
        arguments: [
            ("us-east-1", [:], "https://sts.us-east-1.amazonaws.com", "us-east-1"),
            ("cn-north-1", [:], "https://sts.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("us-iso-east-1", [:], "https://sts.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
            ("eu-west-1", ["AWS_STS_REGIONAL_ENDPOINTS": "legacy"], "https://sts.amazonaws.com", "us-east-1"),
            (
                "eu-south-1", ["AWS_STS_REGIONAL_ENDPOINTS": "legacy"], "https://sts.eu-south-1.amazonaws.com",
                "eu-south-1"
            ),
            (
                "eu-west-1", ["AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_STS": "http://b:2"], "http://b:2",
                "eu-west-1"
            ),
            ("eu-west-1", ["AWS_ENDPOINT_URL": "http://a:1"], "http://a:1", "eu-west-1"),
            (
                "eu-west-1", ["AWS_ENDPOINT_URL": "http://a:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"],
                "https://sts.eu-west-1.amazonaws.com", "eu-west-1"
            ),
        ] as [(String, [String: String], String, String)]
    )
    func eachRegionHasItsOwn(_ region: String, _ variables: [String: String], _ url: String, _ signed: String) throws {
        let found = try RoleService(Environment(variables), region: region, caFile: "").endpoint()
        #expect(found.url == url && found.region == signed)
    }

    @Test(
        arguments: [[:], ["AWS_ENDPOINT_URL_STS": "ftp://x"], ["AWS_ENDPOINT_URL_STS": "http://a@b"]]
            as [[String: String]]
    )
    func withoutAnEndpointNobodyIsAsked(_ variables: [String: String]) {
        let service = RoleService(Environment(variables), region: "atlantis-1", caFile: "")
        #expect(throws: CredentialError.self) { try service.endpoint() }
    }
}

@Suite struct XMLTextsTests {
    private func texts(_ document: String) throws -> XMLTexts { try XMLTexts(Array(document.utf8)) }

    @Test func textsAreFoundByTheirElementAndTheOneAroundIt() throws {
        let texts = try texts(
            """
            <?xml version="1.0"?><!-- <x> --><R xmlns="u"><C a="1"><K> k&#65;&#x42;&lt; </K><K>second</K><E/><D><![CDATA[<&]]></D>
            </C ><Other><K>other</K></Other></R>

            """
        )
        #expect(texts["C/K"] == "kAB<" && texts["C/D"] == "<&" && texts["Other/K"] == "other")
        #expect(texts["C/E"] == nil && texts["R/K"] == nil)
    }

    @Test(arguments: [
        "", "x", "<", "<a", "<a>", "</a>", "<a></b>", "<a><b></a></b>", "<a/><b/>", "<a>&no;</a>", "<a>&#xD800;</a>",
        "<a>&lt",
        "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "<a></a>x", "<![CDATA[", "<!--",
        String(repeating: "<a>", count: 1000),
    ])
    func whatIsNoDocumentIsRefused(_ document: String) {
        #expect(throws: XMLTexts.Malformed.self) { try texts(document) }
    }
}

// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Testing

@testable import AgentKinesis

@Suite struct InstanceCredentialsTests {
    private let start = WallTime(seconds: 1_893_550_000)

    private func document(_ id: String, ends: String = "2030-01-02T03:04:05Z") -> String {
        #"{"Code":"Success","AccessKeyId":"\#(id)","SecretAccessKey":"S","Token":"T","Expiration":"\#(ends)"}"#
    }

    private func source(_ server: String, _ more: [String: String] = [:]) -> InstanceCredentials {
        InstanceCredentials(Environment(more.merging(["AWS_EC2_METADATA_SERVICE_ENDPOINT": server]) { a, _ in a }))
    }

    private func error(_ source: InstanceCredentials, at time: WallTime? = nil) -> CredentialError? {
        do throws(CredentialError) {
            _ = try source.credentials(now: time ?? start)
            return nil
        } catch {
            return error
        }
    }

    private func lines(_ server: ScriptedServer) -> [String] {
        server.requests().map { String($0.head.prefix { $0 != "\r\n" }) }
    }

    @Test func theRolesCredentialsAreGotWithASessionToken() throws {
        let server = ScriptedServer([.answer("tok=="), .answer("my-role\n"), .answer(document("A"))])
        let found = try #require(try source(server.url + "/").credentials(now: start))
        #expect("\(found.accessKeyID)/\(found.secretAccessKey)/\(found.sessionToken)" == "A/S/T")
        #expect(found.expiration == WallTime(seconds: 1_893_553_445))
        let path = "/latest/meta-data/iam/security-credentials/"
        #expect(
            lines(server) == [
                "PUT /latest/api/token HTTP/1.1", "GET \(path) HTTP/1.1", "GET \(path)my-role HTTP/1.1",
            ]
        )
        let requests = server.requests()
        #expect(requests[0].values("x-aws-ec2-metadata-token-ttl-seconds").count == 1)
        #expect(requests[1...].flatMap { $0.values("x-aws-ec2-metadata-token") } == ["tok==", "tok=="])
    }

    @Test(arguments: ["true", "TRUE"]) func whoIsNotToBeAskedIsNot(_ value: String) throws {
        let disabled = source("http://127.0.0.1:1", ["AWS_EC2_METADATA_DISABLED": value])
        #expect(try disabled.credentials(now: start) == nil)
        #expect(disabled.lookedAt.contains("AWS_EC2_METADATA_DISABLED"))
    }

    @Test(arguments: [403, 404, 405]) func withoutTokensVersion1IsAskedWhereItIsAllowed(_ status: Int) throws {
        let server = ScriptedServer([.answer("", status: status), .answer("r"), .answer(document("A"))])
        #expect(try source(server.url).credentials(now: start)?.accessKeyID == "A")
        #expect(server.requests().allSatisfy { $0.values("x-aws-ec2-metadata-token").isEmpty })

        let strict = ScriptedServer([.answer("", status: status)])
        let subject = source(strict.url, ["AWS_EC2_METADATA_V1_DISABLED": "true"])
        #expect(try subject.credentials(now: start) == nil)
        #expect(subject.lookedAt.contains("AWS_EC2_METADATA_V1_DISABLED"))
        #expect(lines(strict).count == 1)
    }

    @Test func aTokenThatIsRefusedIsAFault() {
        let server = ScriptedServer([.answer("", status: 400)])
        #expect(error(source(server.url))?.code == "credentials_refused")
    }

    @Test func aMachineThatIsNoInstanceHasNone() throws {
        let url = "http://127.0.0.1:\(ScriptedServer.closedPort())"
        let subject = source(url)
        #expect(try subject.credentials(now: start) == nil)
        #expect(subject.lookedAt.contains(url))
    }

    @Test func anInstanceWithoutARoleHasNone() throws {
        let server = ScriptedServer([.answer("t"), .answer("", status: 404)])
        #expect(try source(server.url).credentials(now: start) == nil)
    }

    @Test(arguments: [
        (#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"EC2 cannot assume the role"}"#, 200, "cannot assume"),
        ("<html>", 200, "HTTP 200"), ("", 500, "HTTP 500"),
        (#"{"AccessKeyId":"A","SecretAccessKey":"S","Expiration":"soon"}"#, 200, "Expiration"),
    ])
    func aRoleWithoutCredentialsSaysWhy(_ body: String, _ status: Int, _ words: String) {
        let server = ScriptedServer([.answer("t"), .answer("the-role"), .answer(body, status: status)])
        let error = error(source(server.url))
        #expect(error?.code == "credentials_refused")
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "no error")")
        #expect(error?.description.contains("the-role") == true)
    }

    @Test(arguments: ["a b", "../x", "r?x", "é", ""]) func whatIsNoNameIsNotAskedFor(_ role: String) throws {
        let server = ScriptedServer([.answer("t"), .answer(role)])
        #expect(try source(server.url).credentials(now: start) == nil)
        #expect(lines(server).count == 2)
    }

    @Test(arguments: ["ftp://x", "127.0.0.1", "http://a@b"]) func anEndpointMustBeOne(_ endpoint: String) {
        #expect(error(source(endpoint))?.code == "credentials_unusable")
    }

    @Test func anUnknownModeIsSaid() {
        let environment = Environment(["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv5"])
        #expect(error(InstanceCredentials(environment))?.code == "credentials_unusable")
    }

    @Test func aRequestIsTriedAsOftenAsTheEnvironmentWants() throws {
        let server = ScriptedServer([
            .close, .answer("", status: 503), .answer("t"), .answer("r"), .answer(document("A")),
        ])
        let subject = source(server.url, ["AWS_METADATA_SERVICE_NUM_ATTEMPTS": "3"])
        #expect(try subject.credentials(now: start)?.accessKeyID == "A")
    }

    /// The next question is to come 10 to 15 minutes later; the schedule keeps to it.
    @Test func whatHasEndedIsUsedOnAndAskedForLater() throws {
        let old = document("A", ends: "2020-01-01T00:00:00Z")
        for seed in 0..<20 as Range<UInt64> {
            let server = ScriptedServer([.answer("t"), .answer("r"), .answer(old)])
            let found = try #require(try source(server.url).credentials(now: start))
            #expect(found.accessKeyID == "A")
            var schedule = RefreshSchedule(seed: seed)
            _ = schedule.answered(.success(found), wall: start, now: .zero)
            #expect(((10 * 60.0)...(15 * 60)).contains((schedule.due - .zero) / .seconds(1)))
        }
    }

    @Test func whatWasGivenOutlivesAServiceThatIsSilent() throws {
        let server = ScriptedServer([
            .answer("t"), .answer("r"), .answer(document("A")), .close, .close, .close, .close,
        ])
        let subject = source(server.url)
        let found = try #require(try subject.credentials(now: start))
        let end = try #require(found.expiration)
        // Until its end it is in use anyway, and the question fails.
        #expect(error(subject, at: start)?.isPassing == true)
        let later = try #require(try subject.credentials(now: end))
        #expect(later.accessKeyID == "A")
        #expect(later.expiration.map { $0 > end } == true)
    }

    @Test func aRoleThatWasTakenAwayIsNotUsedOn() throws {
        let server = ScriptedServer([
            .answer("t"), .answer("r"), .answer(document("A")), .answer("t"), .answer("", status: 404),
        ])
        let subject = source(server.url)
        let end = try #require(try subject.credentials(now: start)?.expiration)
        #expect(try subject.credentials(now: end) == nil)
    }

    @Test func theChainAsksItLast() throws {
        let server = ScriptedServer([.answer("t"), .answer("r"), .answer(document("A"))])
        let home = try Home(credentials: "[p]\naws_access_key_id=P\naws_secret_access_key=s\n")
        let own = ["AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url, "AWS_EC2_METADATA_DISABLED": "false"]
        #expect(try home.found(own).accessKeyID == "A")
        #expect(try home.found(own.merging(["AWS_PROFILE": "p"]) { $1 }).accessKeyID == "P")
    }
}

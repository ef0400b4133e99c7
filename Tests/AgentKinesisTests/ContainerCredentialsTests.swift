// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Foundation
import Testing

@testable import AgentKinesis

@Suite struct ContainerCredentialsTests {
    private let answer = #"""
        {"RoleArn":"arn:aws:iam::1:role/r","AccessKeyId":"A","SecretAccessKey":"S","Token":"T",
        "Expiration":"2030-01-02T03:04:05Z","AccountId":null}
        """#

    private func credentials(_ variables: [String: String], host: String = "") throws(CredentialError) -> Credentials? {
        try ContainerCredentials(Environment(variables), host: host).credentials(now: WallTime(seconds: 0))
    }

    private func error(_ variables: [String: String], host: String = "") -> CredentialError? {
        do throws(CredentialError) {
            _ = try credentials(variables, host: host)
            return nil
        } catch {
            return error
        }
    }

    private func full(_ url: String) -> [String: String] { ["AWS_CONTAINER_CREDENTIALS_FULL_URI": url] }

    @Test func anEnvironmentThatNamesNoneHasNone() throws {
        #expect(try credentials([:]) == nil)
        #expect(ContainerCredentials(Environment(["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/t"])).files.isEmpty)
    }

    @Test func aRelativePathIsAskedForAtTheHostAndWins() throws {
        let server = ScriptedServer([.answer(answer)])
        let variables = full("http://127.0.0.1:1/").merging(["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x?id=1"]) {
            $1
        }
        let found = try #require(try credentials(variables, host: server.url))
        #expect("\(found.accessKeyID)/\(found.secretAccessKey)/\(found.sessionToken)" == "A/S/T")
        #expect(found.expiration == WallTime(seconds: 1_893_553_445))
        let sent = try #require(server.requests().first)
        #expect(sent.head.hasPrefix("GET /v2/x?id=1 HTTP/1.1\r\n"))
        #expect(sent.values("authorization").isEmpty)
    }

    @Test func theTokenOfTheFileWinsAndIsReadEachTime() throws {
        let file = NSTemporaryDirectory() + "agentd-token-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: file) }
        let server = ScriptedServer([.answer(answer), .answer(answer), .answer(answer)])
        var variables = full(server.url + "/c")
        variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "Bearer fixed"
        _ = try credentials(variables)
        variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = file
        #expect(ContainerCredentials(Environment(variables)).files == [file])
        for token in ["first", "second"] {
            try token.write(toFile: file, atomically: true, encoding: .utf8)
            _ = try credentials(variables)
        }
        let tokens = server.requests().flatMap { $0.values("authorization") }
        #expect(tokens == ["Bearer fixed", "first", "second"])
    }

    @Test(arguments: ["a\nX-Evil: b", "a\r", "a\u{0}b"]) func aTokenThatWouldBreakTheHeaderIsNotSent(_ token: String) {
        var variables = full("http://127.0.0.1:1/")
        variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = token
        #expect(error(variables)?.code == "credentials_unusable")
        #expect(error(variables)?.description.contains("AWS_CONTAINER_AUTHORIZATION_TOKEN") == true)
    }

    @Test func aTokenFileThatIsNotThereIsSaid() {
        var variables = full("http://127.0.0.1:1/")
        variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = "/nonexistent/token"
        #expect(error(variables)?.description.contains("/nonexistent/token does not exist") == true)
    }

    /// The token is not to go to whoever the variable names, in plain text.
    @Test(arguments: [
        "http://169.254.169.254/", "http://10.0.0.1/", "http://example.com/", "http://127.0.0.1.example.com/",
        "http://127.0.0.1@example.com/", "http://127.0.0.1x/", "http://1270.0.0.1/", "http://localhost.example.com/",
        "http://[::2]/", "ftp://127.0.0.1/", "127.0.0.1", "http://127.0.0.256/", "http://example.com?@127.0.0.1/",
    ])
    func aHostThatIsNotTrustedIsNotAsked(_ url: String) {
        #expect(error(full(url))?.code == "credentials_unusable")
    }

    @Test(arguments: ["v2/x", "@example.com/", ".example.com/"]) func aRelativePathMustBeOne(_ path: String) {
        let error = error(["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": path], host: "http://127.0.0.1:1")
        #expect(error?.code == "credentials_unusable")
    }

    /// Whoever may ask at the address, and knows the path, is given the keys.
    @Test func whoDoesNotAnswerIsNamedWithoutThePath() {
        let host = "http://localhost:\(ScriptedServer.closedPort())"
        let error = error(full("\(host)/v2/credentials/secret-path?token=secret"))
        #expect(error?.code == "credentials_refused")
        #expect(error?.description.contains(host) == true)
        #expect(error?.description.contains("secret") == false)
        #expect(error?.failure.kind == .noCredentials && error?.failure.advice.isEmpty == false)
    }

    @Test(arguments: [
        ("", 200, "no JSON"), ("<html>", 500, "HTTP 500"), ("{}", 200, "AccessKeyId or SecretAccessKey is missing"),
        (#"{"code":"x","message":"no such task"}"#, 404, "HTTP 404: no such task"),
        (#"{"Code":"Failed","Message":"try later"}"#, 200, "try later"), (#"{"AccessKeyId":"A"}"#, 200, "missing"),
        (#"{"AccessKeyId":"A","SecretAccessKey":"S","Expiration":"soon"}"#, 200, "Expiration"),
        (#"{"message":"you sent Bearer-0123456789"}"#, 403, "[left out]"),
    ])
    func anAnswerWithoutCredentialsSaysWhy(_ body: String, _ status: Int, _ words: String) {
        let server = ScriptedServer([.answer(body, status: status)])
        var variables = full(server.url)
        variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "Bearer-0123456789"
        let error = error(variables)
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "no error")")
        #expect(error?.description.contains("Bearer-0123456789") == false)
    }

    @Test func longTokensStayWhole() throws {
        let token = String(repeating: "t", count: 20_000)
        let server = ScriptedServer([
            .answer("{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Token\":\"\(token)\"}")
        ])
        #expect(try credentials(full(server.url))?.sessionToken == token)
    }

    @Test func anAnswerWithoutEndIsAFault() {
        let server = ScriptedServer([.answer(answer + String(repeating: " ", count: 100_000))])
        #expect(error(full(server.url))?.description.contains("more than 64 KiB") == true)
    }

    @Test func aRedirectIsNotFollowed() {
        let server = ScriptedServer([.answer(answer, status: 302, headers: ["Location: http://127.0.0.1:1/"])])
        #expect(error(full(server.url))?.description.contains("HTTP 302") == true)
    }

    @Test func theChainAsksItLast() throws {
        let server = ScriptedServer([.answer(answer)])
        let home = try Home(credentials: "[p]\naws_access_key_id=P\naws_secret_access_key=s\n")
        #expect(try home.found(full(server.url)).accessKeyID == "A")
        #expect(try home.found(full(server.url).merging(["AWS_PROFILE": "p"]) { $1 }).accessKeyID == "P")
    }
}

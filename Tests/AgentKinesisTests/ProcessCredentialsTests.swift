// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Foundation
import Testing

@testable import AgentKinesis

@Suite struct ProcessCredentialsTests {
    private static let answer =
        #"{"Version":1,"AccessKeyId":"A","SecretAccessKey":"S","SessionToken":"T","Expiration":"2030-01-02T03:04:05Z"}"#

    /// As /bin/sh is given it: one word in single quotes.
    private func shell(_ script: String) -> String { "/bin/sh -c '\(script)'" }

    /// A script's text would be an argument, and is not shown then; its file is.
    private func file(_ script: String) throws -> String {
        let file = NSTemporaryDirectory() + "agentd-script-\(UUID().uuidString)"
        try script.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }

    private func home(_ command: String) throws -> Home {
        try Home(config: "[default]\ncredential_process = \(command)\n")
    }

    @Test func whatTheProgramWritesIsUsed() throws {
        let home = try home(#"printf "%s" '\#(Self.answer)'"#)
        let found = try home.found()
        #expect("\(found.accessKeyID)/\(found.secretAccessKey)/\(found.sessionToken)" == "A/S/T")
        #expect(found.expiration == WallTime(seconds: 1_893_553_445))
        #expect(found.source.contains("printf") && found.source.contains("default"))
    }

    @Test func withoutAnEndTheyDoNotEnd() throws {
        let home = try home(#"echo '{"Version":1,"AccessKeyId":"A","SecretAccessKey":"S"}'"#)
        #expect(try home.found().expiration == nil)
    }

    @Test func keysOfTheCredentialsFileWinOverItAndItOverThoseOfTheConfigFile() throws {
        let keys = "aws_access_key_id=K\naws_secret_access_key=s\n"
        let process = "credential_process = echo '\(Self.answer)'\n"
        #expect(try Home(credentials: "[default]\n" + keys, config: "[default]\n" + process).found().accessKeyID == "K")
        #expect(try Home(config: "[default]\n" + keys + process).found().accessKeyID == "A")
    }

    @Test func noShellLooksAtTheLine() throws {
        let marker = NSTemporaryDirectory() + "agentd-marker-\(UUID().uuidString)"
        let home = try home("echo '\(Self.answer)' ; touch \(marker)")
        // The rest is text for echo, which makes the answer no JSON. A comment begins at " ;" in these files.
        _ = home.error()
        #expect(try self.home("echo $(touch \(marker)) `touch \(marker)` && touch \(marker)").error() != nil)
        #expect(!FileManager.default.fileExists(atPath: marker))
    }

    @Test(arguments: [
        ("exit 3", "exit status 3"), ("echo no network >&2; exit 1", "no network"), ("kill -9 $$", "signal 9"),
        ("echo nothing", "no JSON"), (#"echo "{\"AccessKeyId\":\"A\"}""#, "Version"),
        (#"echo "{\"Version\":\"1\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\"}""#, "Version"),
        (#"echo "{\"Version\":2,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\"}""#, "Version"),
        (#"echo "{\"Version\":1,\"AccessKeyId\":\"A\"}""#, "missing"), ("yes", "more than 64 KiB"),
    ])
    func aProgramThatFailsSaysWhy(_ script: String, _ words: String) throws {
        let file = try file(script)
        defer { try? FileManager.default.removeItem(atPath: file) }
        let error = try home("/bin/sh \(file)").error()
        #expect(error?.code == "credentials_refused")
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "no error")")
    }

    @Test func whatItComplainsAboutIsShownWithoutSecrets() throws {
        let script = "echo written-secret-1; echo the secrets are written-secret-1 and $1 >&2; exit 1"
        let file = try file(script)
        defer { try? FileManager.default.removeItem(atPath: file) }
        let error = try home("/bin/sh \(file) given-secret-2").error()
        let text = try #require(error?.description)
        #expect(text.contains("the secrets are [left out]"))
        #expect(!text.contains("written-secret") && !text.contains("given-secret"))
    }

    @Test func aProgramThatIsNotThereIsNamedWithoutItsArguments() throws {
        let error = try home("/nonexistent/tool --password hush").error()
        #expect(error?.code == "credentials_refused")
        #expect(error?.description.contains("/nonexistent/tool") == true)
        #expect(error?.description.contains("hush") == false)
    }

    @Test(arguments: ["echo 'a", "echo \"a", "echo a\\", "''"]) func aLineThatCannotBeSplitIsSaid(_ line: String) throws
    {
        let error = try home(line).error()
        #expect(["credentials_unusable", "credentials_refused"].contains(error?.code))
    }

    @Test func aProgramThatHangsIsKilledWithWhatItStarted() throws {
        let file = NSTemporaryDirectory() + "agentd-pid-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: file) }
        let set = ProfileSet(
            credentials: [:],
            config: ["default": ["credential_process": shell("sleep 100 & echo $! > \(file); wait")]],
            files: ["a", "b"],
            services: CredentialServices(Environment([:]), region: "us-east-1", caFile: "")
        )
        let profile = try #require(set.profile(named: "default"))
        #expect(throws: CredentialError.self) {
            try ProcessCredentials(timeout: .milliseconds(500)).credentials(of: profile, now: WallTime(seconds: 0))
        }
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let pid = try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(hasEnded(pid))
    }

    /// Looks for some seconds: a signal takes its time. Whoever inherits the process may not have reaped it by then.
    private func hasEnded(_ pid: pid_t) -> Bool {
        for _ in 0..<500 {
            let state = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8))?.split(separator: " ")[2]
            if state == nil || state == "Z" { return true }
            usleep(10_000)
        }
        return false
    }

    /// As Python's shlex splits them, which the AWS command line uses.
    @Test(
        arguments: [
            ("a b  c", ["a", "b", "c"]), (" a\tb\n", ["a", "b"]), (#"a 'b c' "d e""#, ["a", "b c", "d e"]),
            (#"a"b"'c'd"#, ["abcd"]), (#"a\ b"#, ["a b"]),
            (#"'a\b' "c\d" "e\"f" "g\\h""#, [#"a\b"#, #"c\d"#, "e\"f", #"g\h"#]),
            ("'' a \"\"", ["", "a", ""]), ("$HOME ~ * # ;", ["$HOME", "~", "*", "#", ";"]), ("", []),
            ("\"a'b\" 'c\"d'", ["a'b", "c\"d"]),
        ] as [(String, [String])]
    )
    func aLineIsSplitAsTheCommandLineDoes(_ line: String, _ words: [String]) throws {
        #expect(try CommandWords(line).words == words)
    }
}

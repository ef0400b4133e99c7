// SPDX-License-Identifier: Apache-2.0

import AgentCore
import AgentQueue
import Glibc
import Testing

@testable import AgentRuntime

private let queuePathRefusal = """
    queue.path must be an absolute path without control characters, of at most 4031 bytes and with a file name of \
    at most 191
    """
private let caFileRefusal = """
    aws.ca_file must be "" or an absolute path without control characters, of at most 4095 bytes
    """

/// The faults of a text, one line each; empty where it is valid.
func faults(_ text: String) -> [String] {
    do {
        _ = try Settings.parse(text, file: "agent.conf")
        return []
    } catch {
        return error.faults.map(\.description)
    }
}

@Suite struct SettingsTests {
    @Test func emptyFileGivesTheDefaults() throws {
        #expect(try Settings.parse("", file: "f") == Settings())
    }

    @Test func defaultsAreTheDocumentedOnes() {
        let settings = Settings()
        #expect(settings.queue.path == "/var/lib/agentd/queue.db")
        #expect(settings.queue.maxBytes == 4 * 1024 * 1024 * 1024)
        #expect(settings.queue.minFreeDisk == 256 * 1024 * 1024)
        #expect(settings.queue.whenFull == .reject && settings.queue.durability == .full)
        #expect(settings.queue.maxAge == .zero)
        #expect(settings.listen.http == ListenAddress(host: "127.0.0.1", port: 8077))
        #expect(settings.listen.socket == "/run/agentd/ingest.sock")
        #expect(settings.listen.controlSocket == "/run/agentd/control.sock")
        #expect(settings.listen.maxEventBytes == 1 << 20 && settings.listen.maxRequestBytes == 16 << 20)
        #expect(settings.listen.putWait == .seconds(5))
        #expect(settings.delivery.workers == 8 && settings.delivery.linger == .milliseconds(50))
        #expect(settings.delivery.maxBatchBytes == 1 << 20 && settings.delivery.stopTimeout == .seconds(10))
        #expect(settings.aws.region == "us-east-1" && settings.aws.endpoint == "" && settings.aws.caFile == "")
        #expect(settings.streams.accept == .listed)
        let stream = Settings.Stream()
        #expect(stream.ordering == .key && stream.aggregation == .off)
        #expect(stream.partitionKey == "" && stream.maxBytes == 0)
    }

    @Test func everyKeyIsRead() throws {
        let settings = try Settings.parse(
            """
            [queue]
            path = "/data/q.db"
            max_bytes = "1 GiB"
            min_free_disk = 33554432
            when_full = "drop-oldest"
            max_age = "7d"
            durability = "normal"
            dead_letter_max_bytes = "2MiB"
            [listen]
            http = "[::1]:80"
            socket = ""
            control_socket = "/tmp/c"
            max_event_bytes = "2 MiB"
            max_request_bytes = "4 MiB"
            max_connections = 7
            idle_timeout = "2m"
            memory = "8 MiB"
            put_wait = "0s"
            allowed_hosts = ["Edge.local", "::1"]
            allowed_origins = ["https://App.example.com:8443"]
            [delivery]
            workers = 2
            linger = "0ms"
            max_batch_bytes = "10 MiB"
            memory = "16 MiB"
            connect_timeout = "250ms"
            request_timeout = "1m"
            stop_timeout = "1s"
            [aws]
            region = "eu-west-1"
            endpoint = "http://127.0.0.1:4567/"
            ca_file = "/etc/ca.pem"
            profile = "edge"
            [streams]
            accept = "any"
            max_destinations = 3
            default = "b@us-west-2"
            [log]
            level = "debug"
            [[stream]]
            name = "a"
            [[stream]]
            name = "b"
            region = "us-west-2"
            endpoint = "https://vpce.example.com"
            ordering = "none"
            aggregation = "off"
            partition_key = "/user/id"
            max_bytes = "64 KiB"
            max_record_bytes = "10 MiB"
            """,
            file: "f"
        )
        var wanted = Settings()
        wanted.queue.path = "/data/q.db"
        wanted.queue.maxBytes = 1 << 30
        wanted.queue.minFreeDisk = 32 << 20
        wanted.queue.whenFull = .dropOldest
        wanted.queue.maxAge = .seconds(7 * 86400)
        wanted.queue.durability = .normal
        wanted.queue.deadLetterMaxBytes = 2 << 20
        wanted.listen.http = ListenAddress(host: "::1", port: 80)
        wanted.listen.socket = ""
        wanted.listen.controlSocket = "/tmp/c"
        wanted.listen.maxEventBytes = 2 << 20
        wanted.listen.maxRequestBytes = 4 << 20
        wanted.listen.maxConnections = 7
        wanted.listen.idleTimeout = .seconds(120)
        wanted.listen.memory = 8 << 20
        wanted.listen.putWait = .zero
        wanted.listen.allowedHosts = ["edge.local", "::1"]
        wanted.listen.allowedOrigins = ["https://app.example.com:8443"]
        wanted.delivery.workers = 2
        wanted.delivery.linger = .zero
        wanted.delivery.maxBatchBytes = 10 << 20
        wanted.delivery.memory = 16 << 20
        wanted.delivery.connectTimeout = .milliseconds(250)
        wanted.delivery.requestTimeout = .seconds(60)
        wanted.delivery.stopTimeout = .seconds(1)
        wanted.aws.region = "eu-west-1"
        wanted.aws.endpoint = "http://127.0.0.1:4567"
        wanted.aws.caFile = "/etc/ca.pem"
        wanted.aws.profile = "edge"
        wanted.streams.accept = .any
        wanted.streams.maxDestinations = 3
        wanted.streams.default = StreamReference(name: "b", region: "us-west-2")
        wanted.log.level = .debug
        var a = Settings.Stream()
        a.name = "a"
        a.region = "eu-west-1"
        var b = Settings.Stream()
        b.name = "b"
        b.region = "us-west-2"
        b.endpoint = "https://vpce.example.com"
        b.ordering = .none
        b.partitionKey = "/user/id"
        b.maxBytes = 64 << 10
        b.maxRecordBytes = 10 << 20
        wanted.stream = [a, b]
        #expect(settings == wanted)
    }

    @Test func allFaultsAreReportedAtOnceInTheOrderOfTheFile() {
        let text = """
            [queue]
            max_byte = "4 GiB"
            durability = "half"
            [delivery]
              workers = 0
            linger = 50
            [[stream]]
            name = "bad name"
            partition_key = "user"
            [[stream]]
            ordering = "strict"
            """
        #expect(
            faults(text) == [
                "agent.conf:2:1: queue.max_byte is not a key; did you mean queue.max_bytes?",
                "agent.conf:3:1: queue.durability must be \"full\" or \"normal\", not \"half\"",
                "agent.conf:5:3: delivery.workers must be 1 to 64, not 0",
                "agent.conf:6:1: delivery.linger must be a duration such as \"50ms\" (ms, s, m, h, d), not a number",
                "agent.conf:8:1: stream.name must be the name of a stream, 1 to 128 of a-z A-Z 0-9 _ . -",
                "agent.conf:9:1: stream.partition_key must be \"\" or a JSON Pointer such as \"/user/id\"",
                "agent.conf:10:1: stream.name is missing; it must be the name of a stream, 1 to 128 of a-z A-Z 0-9 _ . -",
                "agent.conf:11:1: stream.ordering = \"strict\" is not available yet; it can be \"key\" or \"none\"",
            ]
        )
    }

    @Test(arguments: [
        ("[que]\nmax_bytes = 1", "que is not a section; did you mean [queue]?"),
        ("[[streem]]\nname = 'a'", "streem is not a section; did you mean [[stream]]?"),
        ("max_bytes = 1", "max_bytes stands outside of its section; did you mean queue.max_bytes?"),
        ("queue = 1", "queue must be a section, written [queue], not a number"),
        ("[stream]\nname = 'a'", "stream must be written [[stream]], once for each stream, not a table"),
        ("[delivery]\nmax_bytes = 1", "delivery.max_bytes is not a key; did you mean queue.max_bytes?"),
        ("[[stream]]\nname='a'\norder='key'", "stream.order is not a key; did you mean stream.ordering?"),
        ("[listen]\napi_keys_file = '/a'", "listen.api_keys_file is not available yet"),
        ("[listen]\nkinesis_api = 'x'", "listen.kinesis_api must be \"buffer\" or \"deliver\", not \"x\""),
        ("[[stream]]\nname='a'\naccount='x'", "stream.account is not available yet"),
        (
            "[[stream]]\nname='a'\naggregation='key'",
            "stream.aggregation = \"key\" is not available yet; it can be \"off\""
        ),
        ("[queue]\nmax_bytes = '1 KiB'", "queue.max_bytes must be 1 MiB to 16 TiB, not 1 KiB"),
        (
            "[queue]\nmax_bytes = '4 GB'",
            "queue.max_bytes must be a size such as \"64 KiB\" (B, KiB, MiB, GiB), not \"4 GB\"; did you mean \"4 GiB\"?"
        ),
        (
            "[delivery]\nlinger = '5 sec'",
            "delivery.linger must be a duration such as \"50ms\" (ms, s, m, h, d), not \"5 sec\"; did you mean \"5s\"?"
        ),
        ("[delivery]\nlinger = '2h'", "delivery.linger must be 0s to 1m, not 2h"),
        ("[[streams]]\nname = 'a'", "streams is a section with settings; a stream is written [[stream]]"),
        ("[aws]\nregion = eu-central-1", "text is written in quotes: region = \"eu-central-1\""),
        ("[delivery]\nlinger = 50ms # short", "text is written in quotes: linger = \"50ms\""),
        ("aws.secret_access_key = abcSECRET", "text is written in quotes"),
        ("[queue]\npath = \"/a\\u0000b\"", "a zero byte has no place in a configuration file"),
        ("[queue]\n\"pa\\U00000000th\" = '/a'", "a zero byte has no place in a configuration file"),
        ("[queue]\npath = \"/a\\u0001b\"", queuePathRefusal),
        (
            "[queue]\npath = '/\(String(repeating: "a", count: 5000))'",
            queuePathRefusal
        ),
        ("[queue]\npath = '/\(String(repeating: "a", count: 200))'", queuePathRefusal),
        ("[aws]\nca_file = \"/a\\u001bb\"", caFileRefusal),
        (
            "[aws]\nca_file = '/\(String(repeating: "a/", count: 2048))a'",
            caFileRefusal
        ),
        ("[queue]\nmax_bytes = 4.5", "queue.max_bytes must be a size such as \"64 KiB\", not a floating-point number"),
        (
            "[queue]\nmax_bytes = '99999999999999 TiB'",
            "queue.max_bytes must be a size such as \"64 KiB\" (B, KiB, MiB, GiB), not \"99999999999999 TiB\""
        ),
        ("[aws]\nregion = 'US East'", "aws.region must be a region such as \"us-east-1\""),
        (
            "[aws]\nregion = 'eu-cental-1'",
            "aws.region is eu-cental-1, which AWS has not; did you mean eu-central-1? A newer region needs an endpoint"
        ),
        (
            "[[stream]]\nname = 'a'\nregion = 'us-west-7'",
            "stream.region is us-west-7, which AWS has not; did you mean us-west-1? A newer region needs an endpoint"
        ),
        ("[streams]\ndefault = 'a'", "streams.default is a@us-east-1, which no [[stream]] lists"),
        (
            "[listen]\nhttp = ''\nsocket = ''",
            "listen.http and listen.socket cannot both be off: no event could come in"
        ),
        (
            "[listen]\nmax_event_bytes = '2 MiB'\nmax_request_bytes = '1 MiB'",
            "listen.max_event_bytes (2 MiB) must be at most listen.max_request_bytes (1 MiB)"
        ),
        (
            "[[stream]]\nname='a'\nmax_bytes = '5 GiB'",
            "stream.max_bytes (5 GiB) must be at most queue.max_bytes (4 GiB)"
        ),
    ])
    func faultsSayWhatWouldBeRight(text: String, message: String) {
        let found = faults(text)
        #expect(found.count == 1)
        #expect(found.first?.hasSuffix(": " + message) == true, "\(found)")
    }

    @Test func aNewerRegionIsTakenWithAnEndpoint() {
        #expect(faults("[aws]\nregion = 'xx-new-1'\nendpoint = 'https://kinesis.example'").isEmpty)
        let own = "[[stream]]\nname = 'a'\nregion = 'xx-new-1'\nendpoint = 'https://kinesis.example'\n"
        #expect(faults(own).isEmpty)
        #expect(faults(own + "[[stream]]\nname = 'b'\nregion = 'xx-new-1'\n").count == 1)
    }

    @Test func aStreamMayBeListedOnceForARegion() {
        let twice = "[[stream]]\nname = 'a'\n[[stream]]\nname = 'a'\nregion = 'us-east-1'\n"
        #expect(
            faults(twice) == [
                "agent.conf:4:1: stream a@us-east-1 is in the file twice; it is first named in line 2"
            ]
        )
        #expect(faults("[[stream]]\nname = 'a'\n[[stream]]\nname = 'a'\nregion = 'eu-west-1'\n").isEmpty)
    }

    @Test(arguments: [
        "ftp://h", "http://", "http://h:0", "http://h:99999", "http://user:secret@h", "http://h/path", "h:80",
        "http://[::1", "https://-h", "http://h?x",
    ])
    func badEndpointsAreRefusedWithoutBeingRepeated(url: String) {
        let found = faults("[aws]\nendpoint = '\(url)'")
        #expect(found.count == 1)
        #expect(found.allSatisfy { !$0.contains("secret") })
    }

    @Test(arguments: [
        "8077", "127.0.0.1", "example.com:80", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.256:80", ":80",
    ])
    func badAddressesAreRefused(address: String) {
        #expect(faults("[listen]\nhttp = '\(address)'").count == 1)
    }

    @Test(arguments: [
        (1, 1, "[queue\npath = 1"), (2, 8, "[queue]\npath = \"\n"), (2, 1, "[a]\n\u{0}"),
    ])
    func syntaxErrorsHaveAPlace(line: Int, column: Int, text: String) throws {
        let error = #expect(throws: SettingsFaults.self) { try Settings.parse(text, file: "f") }
        let fault = try #require(error?.faults.first)
        #expect(fault.place?.line == line)
        #expect(fault.place?.column ?? 0 >= column)
        #expect(!fault.description.contains("\n"))
    }

    @Test func aMissingFileIsNamed() {
        let error = #expect(throws: SettingsFaults.self) { try Settings.load(path: "/nonexistent/agent.conf") }
        #expect(error?.description == "/nonexistent/agent.conf: cannot be opened: No such file or directory")
    }

    @Test func aFileThatIsNotTextIsRefused() throws {
        var name = Array("/tmp/agentd-settings-XXXXXX".utf8CString)
        let file = mkstemp(&name)
        let path = String(decoding: name.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        defer { unlink(path) }
        #expect(write(file, [0x5b, 0xff, 0x5d] as [UInt8], 3) == 3)
        close(file)
        let error = #expect(throws: SettingsFaults.self) { try Settings.load(path: path) }
        #expect(error?.description == "\(path): is not UTF-8 text")
    }

    @Test(arguments: [("/tmp", "is a folder, not a file"), ("/dev/null", "is not a regular file")])
    func whatIsNoFileIsRefused(path: String, message: String) {
        let error = #expect(throws: SettingsFaults.self) { try Settings.load(path: path) }
        #expect(error?.description == "\(path): \(message)")
    }

    /// Opening one waits for its other end, which nobody holds.
    @Test func aPipeIsRefusedWithoutWaitingForIt() {
        let path = "/tmp/agentd-settings-\(UInt64.random(in: 0 ... .max))"
        #expect(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        let error = #expect(throws: SettingsFaults.self) { try Settings.load(path: path) }
        #expect(error?.description == "\(path): is not a regular file")
    }

    /// Whatever way a level is written in, too many of them are refused before they are built.
    @Test(arguments: [
        "a" + String(repeating: ".a", count: 50_000) + " = 1",
        "[a" + String(repeating: ".a", count: 50_000) + "]",
        "[[a" + String(repeating: ".a", count: 50_000) + "]]",
        "a" + String(repeating: ".\"a\"", count: 50_000) + " = 1",
        "a" + String(repeating: " . a", count: 50_000) + " = 1",
        "[q]\nb = {a" + String(repeating: ".a", count: 50_000) + " = 1}",
        "a = " + String(repeating: "[", count: 50_000),
        "a = " + String(repeating: "{a=", count: 50_000),
        "a = " + String(repeating: "[{a=", count: 50_000),
        "a = [" + String(repeating: "[], ", count: 100) + "[{x" + String(repeating: ".a", count: 50_000) + "=1}]]",
    ])
    func endlessNestingIsRefused(text: String) {
        #expect(faults(text).count == 1)
        #expect(faults(text).first?.contains("nested deeper than 32 levels") == true)
    }

    @Test func theFirstFaultsAreToldAndTheOthersCounted() throws {
        let text = "[queue]\n" + (0..<100_000).map { "k\($0) = 1\n" }.joined()
        let error = #expect(throws: SettingsFaults.self) { try Settings.parse(text, file: "f") }
        let all = try #require(error)
        #expect(all.faults.map(\.place?.line) == (2...51).map { $0 })
        #expect(all.untold == 99_950)
        let lines = all.description.split(separator: "\n")
        #expect(lines.count == 51)
        #expect(lines.last == "f: and 99950 more faults")
    }

    @Test func whatDisturbsATerminalIsNotRepeatedRaw() {
        let found = faults("\"a\\u001b[2Jb\\u009bc\" = 1\n[\"x\\u202e\"]\n")
        #expect(found.count == 2)
        #expect(found.allSatisfy { $0.unicodeScalars.allSatisfy { (0x20...0x7e).contains($0.value) } }, "\(found)")
        let shown = "a\\u{1b}[2Jb\\u{9b}c is not a section; did you mean [aws]?"
        #expect(found.contains { $0.hasSuffix(shown) }, "\(found)")
    }

    @Test func aLongNameIsNotRepeatedWhole() {
        let found = faults("[queue]\n\(String(repeating: "n", count: 100_000)) = 1")
        #expect(found.count == 1)
        #expect(found.allSatisfy { $0.utf8.count < 200 })
    }

    @Test func settingsWithoutAnyStreamAreDoubtfulUnlessAnyIsAccepted() throws {
        #expect(try Settings.parse("", file: "f").warnings.map(\.code) == ["no_streams"])
        #expect(try Settings.parse("[streams]\naccept = 'any'", file: "f").warnings.isEmpty)
        #expect(try Settings.parse("[[stream]]\nname = 'a'", file: "f").warnings.isEmpty)
    }

    @Test(arguments: [
        "[", "[[", "[=", "[\n", "[#", "[.a]", "[é]", "[[é]]", "[ ]", "[]", "[[]]", "[queue]\n[", "[,]", "[{",
    ])
    func aSectionWithoutANameIsRefused(_ text: String) throws {
        let error = try #require(throws: SettingsFaults.self) { try Settings.parse(text, file: "f") }
        #expect(error.faults.first?.place?.line == text.split(separator: "\n").count, "\(error)")
    }

    /// However a file is cut short or mangled, it is either valid or refused with a place inside it.
    @Test func mangledFilesAreRefusedWithAPlace() {
        let valid = Settings.example.split(separator: "\n").filter { !$0.hasPrefix("# ") }
            .map { $0.hasPrefix("#") ? $0.dropFirst() : $0 }.joined(separator: "\n")
        let scalars = Array(valid.unicodeScalars)
        let replacements: [Unicode.Scalar?] = [nil, "\"", "[", "=", "\n", "é"]
        for (count, position) in stride(from: 0, to: scalars.count, by: 5).enumerated() {
            var mangled = scalars
            if let replacement = replacements[count % replacements.count] {
                mangled[position] = replacement
            } else {
                mangled.removeSubrange(position...)
            }
            let text = String(String.UnicodeScalarView(mangled))
            do {
                _ = try Settings.parse(text, file: "f")
            } catch {
                let lines = text.unicodeScalars.count { $0 == "\n" } + 1
                for fault in error.faults {
                    #expect(fault.place.map { (1...lines).contains($0.line) } == true, "\(fault)")
                }
            }
        }
    }
}

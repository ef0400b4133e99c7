// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import FoundationEssentials

/// The server's own API, under `/_control`: faults, resharding, the journal, statistics. Not signed, and never struck
/// by faults but those of the connection.
enum ControlAPI {
    static let prefix = "/_control/"

    /// A refusal with a status and a sentence.
    struct Refusal: Error {
        let status: Int
        let message: String

        init(_ message: String, status: Int = 400) {
            self.status = status
            self.message = message
        }
    }

    static func answer(
        _ service: KinesisService,
        method: String,
        uri: String,
        body: UnsafeRawBufferPointer,
        now: Moment
    ) -> Reply {
        var reply: Reply
        do throws(Refusal) {
            let target = Target(uri)
            if method == "POST", target.path == "outage" {
                reply = try outage(try decode(Outage.self, body))
            } else {
                reply = Reply(body: try perform(service, method, target, body, now))
            }
        } catch {
            var json = JSONText()
            json.object { $0.member("message", error.message) }
            reply = Reply(status: error.status, body: json.bytes)
        }
        reply.contentType = uri.hasPrefix("/_control/journal") ? "application/x-ndjson" : "application/json"
        return reply
    }

    /// Path and query of a request.
    private struct Target {
        let path: String
        let query: [String: String]

        init(_ uri: String) {
            let parts = uri.split(separator: "?", maxSplits: 1)
            path = String(parts.first?.dropFirst(ControlAPI.prefix.count) ?? "")
            var query: [String: String] = [:]
            for pair in parts.dropFirst().first?.split(separator: "&") ?? [] {
                let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                query[String(sides[0])] = sides.count > 1 ? String(sides[1]) : ""
            }
            self.query = query
        }
    }

    private static func perform(
        _ service: KinesisService,
        _ method: String,
        _ target: Target,
        _ body: UnsafeRawBufferPointer,
        _ now: Moment
    ) throws(Refusal) -> [UInt8] {
        switch (method, target.path) {
        case ("POST", "faults"): return try addFaults(service, body, now)
        case ("GET", "faults"): return try listFaults(service)
        case ("DELETE", "faults"):
            service.faults.removeAll()
            return Array("{}".utf8)
        case ("DELETE", let path) where path.hasPrefix("faults/"):
            let id = String(path.dropFirst("faults/".count))
            guard service.faults.remove(id: id) else { throw Refusal("There is no fault \(id).", status: 404) }
            return Array("{}".utf8)
        case ("POST", "reshard"): return try reshard(service, try decode(Resharding.self, body), now)
        case ("GET", "journal"): return try journal(service, target)
        case ("GET", "stats"):
            // With thousands of streams, most of the answer is about them.
            let all = target.query["streams"] == "none" ? [] : service.store.all
            var json = JSONText()
            service.statistics.write(
                into: &json,
                streams: target.query["stream"].map { name in all.filter { $0.name == name } } ?? all,
                untold: service.untold.count
            )
            return json.bytes
        case ("PUT", "access-key"):
            let key = try decode(Key.self, body)
            service.authenticator = Authenticator(
                key: AccessKey(id: key.accessKey, secret: key.secretKey, sessionToken: key.sessionToken)
            )
            return Array("{}".utf8)
        default:
            throw Refusal(
                "Unknown. There are POST, GET, DELETE faults; DELETE faults/{id}; POST reshard; POST outage; GET journal; GET stats; "
                    + "PUT access-key.",
                status: 404
            )
        }
    }

    private static func decode<T: Decodable>(
        _ type: T.Type,
        _ body: UnsafeRawBufferPointer
    ) throws(Refusal) -> T {
        do {
            return try JSONDecoder().decode(type, from: Data(body))
        } catch {
            throw Refusal("The body cannot be read: \(FaultRules.explain(error))")
        }
    }

    // MARK: Faults

    private static func addFaults(
        _ service: KinesisService,
        _ body: UnsafeRawBufferPointer,
        _ now: Moment
    ) throws(Refusal) -> [UInt8] {
        let rules: [FaultRule]
        do throws(KinesisLocalError) { rules = try FaultRules.read(body) } catch { throw Refusal(error.description) }
        var json = JSONText()
        json.object {
            $0.name("ids")
            $0.array { json in
                for rule in rules { json.value(service.faults.install(rule, now: now.monotonic)) }
            }
        }
        return json.bytes
    }

    private static func listFaults(_ service: KinesisService) throws(Refusal) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        var rules: [(text: [UInt8], id: String, matched: Int, fired: Int)] = []
        for entry in service.faults.rules {
            do {
                rules.append((Array(try encoder.encode(entry.rule)), entry.id, entry.matched, entry.fired))
            } catch {
                throw Refusal("The fault \(entry.id) cannot be written: \(error)", status: 500)
            }
        }
        var json = JSONText()
        json.array {
            for entry in rules {
                $0.object {
                    $0.member("id", entry.id)
                    $0.member("matched", entry.matched)
                    $0.member("fired", entry.fired)
                    $0.name("rule")
                    $0.raw(entry.text)
                }
            }
        }
        return json.bytes
    }

    // MARK: The rest

    private struct Key: Decodable {
        var accessKey: String
        var secretKey: String
        var sessionToken: String?

        enum CodingKeys: String, CodingKey {
            case accessKey = "access_key"
            case secretKey = "secret_key"
            case sessionToken = "session_token"
        }
    }

    private struct Outage: Decodable {
        var forMS: Int64

        enum CodingKeys: String, CodingKey { case forMS = "for_ms" }
    }

    private static func outage(_ request: Outage) throws(Refusal) -> Reply {
        guard (1...3_600_000).contains(request.forMS) else { throw Refusal("for_ms is 1...3600000.") }
        var reply = Reply(body: Array("{}".utf8))
        reply.outageMS = request.forMS
        return reply
    }

    private static func reshard(
        _ service: KinesisService,
        _ request: Resharding,
        _ now: Moment
    ) throws(Refusal) -> [UInt8] {
        do throws(APIError) {
            try request.carryOut(on: &service.store, now: now)
            var json = JSONText()
            let stream = try service.store.stream(request.stream)
            json.object {
                $0.name("open_shards")
                $0.array { for index in stream.openShards { $0.value(Shard.id(index)) } }
            }
            return json.bytes
        } catch {
            throw Refusal(error.message)
        }
    }

    private static func journal(_ service: KinesisService, _ target: Target) throws(Refusal) -> [UInt8] {
        guard let from = UInt64(target.query["from"] ?? "1"),
            let limit = Int(target.query["limit"] ?? "10000"), (1...100_000).contains(limit),
            let show = JournalData(rawValue: target.query["data"] ?? "base64")
        else {
            throw Refusal("from is an index, limit 1...100000, data one of base64, sha256, none.")
        }
        return service.store.journal(
            from: from,
            limit: limit,
            stream: target.query["stream"],
            show: show,
            untold: service.untold
        )
    }
}

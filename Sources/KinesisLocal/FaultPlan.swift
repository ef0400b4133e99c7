// SPDX-License-Identifier: Apache-2.0
internal import AgentCore

/// Decides which faults strike: a machine over the rules, with time as argument and a seeded generator a rule.
///
/// A rule's chance is drawn once for each request (or connection, or record) that it matches, in the order in which
/// they come; so one client that sends the same requests meets the same faults.
struct FaultPlan {
    /// What happens to a request whose body was read.
    struct RequestFault: Equatable {
        /// The fault other than waiting, and which rule it is from.
        var rule: FaultRule?
        var delayMS: Int64 = 0
    }

    enum HeadFault: Equatable {
        case none
        case reset
        case slowRead(bytesPerSecond: Int)
        /// The answer of this rule, before the body is read.
        case status(FaultRule)
    }

    /// What of a request can be known when its head is there.
    struct HeadView {
        /// `nil`: none that is known.
        let operation: Operation?
        /// Its Content-Length.
        var bytes = 0
        /// Whether it waits for a `100 Continue`.
        var expects = false
    }

    struct RecordView {
        let shard: String
        let key: UnsafeRawBufferPointer
        let data: UnsafeRawBufferPointer
    }

    private struct Installed {
        var rule: FaultRule
        let id: String
        let from: Instant
        let until: Instant
        var generator: SeededGenerator
        var matched = 0
        var fired = 0
        /// Of a `limit`: each shard's, made when it is first asked for.
        var limiters: [Limited: ShardLimiter] = [:]

        func isActive(_ now: Instant) -> Bool {
            now >= from && now < until && rule.count.map { fired < $0 } ?? true
        }

        /// Whether it strikes what it matches now.
        mutating func strikes(_ now: Instant) -> Bool {
            guard isActive(now) else { return false }
            matched += 1
            if matched <= rule.skip ?? 0 { return false }
            // Drawn even at probability 1, so that changing it does not shift what comes after.
            guard Double.random(in: 0..<1, using: &generator) < rule.probability ?? 1 else { return false }
            fired += 1
            return true
        }

        /// Whether the limit of the record's shard has room for it.
        mutating func admits(_ record: RecordView, of stream: String, now: Instant) -> Bool {
            guard isActive(now) else { return true }
            matched += 1
            let shard = Limited(stream: stream, shard: record.shard)
            let bytes = record.key.count + record.data.count
            guard !limiters[shard, default: ShardLimiter(rates: rule.rates, now: now)].admit(bytes: bytes, now: now)
            else { return true }
            fired += 1
            return false
        }
    }

    private struct Limited: Hashable {
        let stream: String
        let shard: String
    }

    private let seed: UInt64
    private var installed: [Installed] = []
    private var numbers: UInt64 = 0

    init(seed: UInt64) { self.seed = seed }

    var isEmpty: Bool { installed.isEmpty }

    /// Whether any rule decides on records one by one.
    var looksAtRecords: Bool { installed.contains { $0.rule.stage == .record } }

    /// Whether any rule strikes requests by the records in them.
    var selectsRecords: Bool { installed.contains { $0.rule.stage == .request && $0.rule.selectsRecords } }

    /// Rules with how often they matched and fired, in the order in which they were given.
    var rules: [(rule: FaultRule, id: String, matched: Int, fired: Int)] {
        installed.map { ($0.rule, $0.id, $0.matched, $0.fired) }
    }

    /// Adds a rule, or replaces that with the same id.
    ///
    /// - Returns: its id. The rule must have no ``FaultRule/fault``.
    mutating func install(_ rule: FaultRule, now: Instant) -> String {
        numbers += 1
        let id = rule.id ?? "fault-\(numbers)"
        let from = now + .milliseconds(rule.afterMS ?? 0)
        let entry = Installed(
            rule: rule,
            id: id,
            from: from,
            until: rule.stage == .once ? .never : rule.forMS.map { from + .milliseconds($0) } ?? .never,
            generator: SeededGenerator(seed: rule.seed ?? seed &+ numbers &* 0x632b_e59b_d9b4_e019)
        )
        if let index = installed.firstIndex(where: { $0.id == id }) {
            installed[index] = entry
        } else {
            installed.append(entry)
        }
        return id
    }

    /// - Returns: whether there was such a rule.
    mutating func remove(id: String) -> Bool {
        let before = installed.count
        installed.removeAll { $0.id == id }
        return installed.count < before
    }

    mutating func removeAll() { installed.removeAll() }

    /// When the next of what happens once is due; ``Instant/never`` where there is nothing.
    var nextDeed: Instant {
        installed.lazy.filter { $0.rule.stage == .once && $0.fired == 0 }.map(\.from).min() ?? .never
    }

    /// What is to happen now, in the order of its times. Each is given out once.
    mutating func takeDeeds(now: Instant) -> [FaultRule] {
        let due = installed.indices
            .filter {
                installed[$0].rule.stage == .once && installed[$0].fired == 0 && installed[$0].from <= now
            }
            .sorted { installed[$0].from < installed[$1].from }
        for i in due {
            installed[i].matched = 1
            installed[i].fired = 1
        }
        return due.map { installed[$0].rule }
    }

    mutating func refusesConnection(now: Instant) -> Bool {
        for i in installed.indices where installed[i].rule.action == .refuse {
            if installed[i].strikes(now) { return true }
        }
        return false
    }

    /// A clock fault lasts as long as its window: it is not counted.
    func clockOffset(now: Instant) -> Duration {
        var offset: Int64 = 0
        for entry in installed where entry.rule.action == .clock && entry.isActive(now) {
            offset += entry.rule.offsetSeconds ?? 0
        }
        return .seconds(offset)
    }

    mutating func headArrived(_ head: HeadView, now: Instant) -> HeadFault {
        if refusesConnection(now: now) { return .reset }
        guard let operation = head.operation else { return .none }
        for i in installed.indices where installed[i].rule.stage == .head && installed[i].rule.matches(operation) {
            let rule = installed[i].rule
            guard head.bytes >= rule.minBytes ?? 0, rule.expects.map({ $0 == head.expects }) ?? true else { continue }
            switch rule.action {
            case .resetUnread:
                if installed[i].strikes(now) { return .reset }
            case .slowRead:
                if installed[i].strikes(now) {
                    return .slowRead(bytesPerSecond: rule.bytesPerSecond ?? 1)
                }
            case .status:
                if installed[i].strikes(now) { return .status(rule) }
            default: break
            }
        }
        return .none
    }

    /// Waits add up; of the others the first that strikes is it.
    mutating func requestArrived(
        _ operation: Operation,
        stream: String,
        bytes: Int = 0,
        records: [RecordView],
        now: Instant
    ) -> RequestFault {
        var result = RequestFault()
        for i in installed.indices {
            let rule = installed[i].rule
            guard rule.stage == .request, rule.matches(operation), rule.stream.map({ $0 == stream }) ?? true,
                bytes >= rule.minBytes ?? 0,
                !rule.selectsRecords || records.contains(where: { Self.matches(rule, $0) }),
                result.rule == nil || rule.action == .delay,
                installed[i].strikes(now)
            else { continue }
            result.delayMS += rule.delayMS ?? 0
            if rule.action != .delay { result.rule = rule }
        }
        return result
    }

    /// The code and message with which one record is refused; `nil`: it is not.
    mutating func recordArrived(
        _ operation: Operation,
        stream: String,
        record: RecordView,
        now: Instant
    ) -> (code: String, message: String)? {
        for i in installed.indices where installed[i].rule.stage == .record {
            let rule = installed[i].rule
            guard rule.matches(operation), rule.stream.map({ $0 == stream }) ?? true, Self.matches(rule, record),
                rule.action == .limit
                    ? !installed[i].admits(record, of: stream, now: now) : installed[i].strikes(now)
            else { continue }
            let code = rule.code ?? "ProvisionedThroughputExceededException"
            return (code, rule.message ?? Self.message(code, shard: record.shard, stream: stream))
        }
        return nil
    }

    private static func message(_ code: String, shard: String, stream: String) -> String {
        switch code {
        case "ProvisionedThroughputExceededException": APIError.throttled(shard: shard, stream: stream).message
        case "InternalFailure": "Internal Service Failure"
        default: "Injected fault."
        }
    }

    private static func matches(_ rule: FaultRule, _ record: RecordView) -> Bool {
        if let shard = rule.shard, shard != record.shard { return false }
        if let key = rule.partitionKey, !key.utf8.elementsEqual(record.key) { return false }
        if let text = rule.dataContains, !contains(record.data, Array(text.utf8)) { return false }
        return true
    }

    private static func contains(_ data: UnsafeRawBufferPointer, _ text: [UInt8]) -> Bool {
        guard data.count >= text.count else { return false }
        return (0...data.count - text.count).contains { start in
            data[start] == text[0] && data[start..<start + text.count].elementsEqual(text)
        }
    }
}

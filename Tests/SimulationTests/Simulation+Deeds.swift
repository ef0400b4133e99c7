// SPDX-License-Identifier: Apache-2.0
import AgentCore

// What happens to the process: events, pauses, other settings, crashes, sleep, and in the end calm.

extension Simulation {
    /// An event as the stream has them.
    func draft(of stream: Scenario.Stream) -> ModelQueue.Draft {
        let isKeyless = generator.chance(stream.keyless)
        let key =
            isKeyless
            ? Scenario.Key(.none) : generator.chance(stream.hot) ? stream.keys[0] : generator.pick(stream.keys)
        var count = generator.int(stream.sizes)
        if generator.chance(stream.large) { count = (1 << 20) - key.key.bytes - generator.int(0...100) - 12 }
        var mark = SimulatedKinesis.Mark.fine
        if generator.chance(stream.poison) { mark = generator.chance(0.7) ? .poison : .refused }
        let isDamaged = generator.chance(stream.damaged)
        return draft(of: stream, key: key, mark: mark, bytes: count, isDamaged: isDamaged)
    }

    /// - Parameter bytes: At least 9: its token and its mark.
    func draft(
        of stream: Scenario.Stream,
        key: Scenario.Key = .init(.none),
        mark: SimulatedKinesis.Mark = .fine,
        bytes: Int = 9,
        isDamaged: Bool = false
    ) -> ModelQueue.Draft {
        var data = [UInt8](repeating: 0x61, count: bytes)
        let token = nextToken
        nextToken += 1
        for i in 0..<8 { data[i] = UInt8(truncatingIfNeeded: token >> (8 * UInt64(i))) }
        data[8] = mark.rawValue
        if mark == .poison { poisoned += 1 }
        return ModelQueue.Draft(
            destination: stream.id,
            key: key.key,
            lane: key.lane,
            data: Payload(data),
            isDamaged: isDamaged
        )
    }

    func perform(_ deed: Scenario.Deed) {
        log("\(deed)")
        switch deed {
        case .post(let stream, let count, let isAwaited):
            let drafts = (0..<count).map { _ in draft(of: streams[stream]) }
            post(drafts, to: streams[stream], isAwaited: isAwaited)
        case .postKey(let stream, let key, let count, let mark):
            let drafts = (0..<count).map { _ in draft(of: streams[stream], key: key, mark: mark) }
            post(drafts, to: streams[stream])
        case .pause(let index):
            paused.insert(streams[index].id)
            touch { machine, _ in machine.paused(streams[index].id) }
        case .resume(let index):
            paused.remove(streams[index].id)
            touch { machine, _ in machine.resumed(streams[index].id) }
        case .park(let index): change(index) { $0.parkedBecause = "not in the configuration" }
        case .unpark(let index): change(index) { $0.parkedBecause = nil }
        case .reorder(let index, let ordering): change(index) { $0.ordering = ordering }
        case .widen(let index): change(index) { $0.maxRecordBytes = 2 << 20 }
        case .move(let index, let endpoint, let identity):
            change(index) {
                $0.endpoint = endpoint
                $0.identity = identity
            }
        case .tune(let settings):
            self.settings = settings
            touch { machine, _ in machine.changed(settings: settings) }
        case .remove(let index, let count, let cause):
            if process != nil { queue.remove(streams[index].id, count: count, cause) }
        case .crash(let downFor): crash(downFor: downFor)
        case .crashAfter(let actions): fuse = actions
        case .stop(let downFor): stop(downFor: downFor)
        case .jump(let duration): clockError += duration
        case .sleep(let duration): world.leap(duration)
        case .flush: touch { $0.flush(now: $1) }
        case .renew(let identity): touch { $0.credentialsChanged(identity: identity, now: $1) }
        case .choke(let index, let shard): kinesis.choke(streams[index].destination, shard: shard)
        case .reshard(let index, let count): kinesis.reshard(streams[index].destination, into: count)
        }
    }

    private func post(_ drafts: [ModelQueue.Draft], to stream: Scenario.Stream, isAwaited: Bool = false) {
        guard process != nil, stopping == nil else { return }
        if !opened.contains(stream.id) { touch { machine, _ in open(stream, in: &machine) } }
        queue.append(drafts, isAwaited: isAwaited)
    }

    /// What is too old goes, once a second.
    func expire() {
        if process != nil { queue.expire() }
        world.after(.seconds(1)) { [unowned self] in if queue.limits.maxAge != nil { expire() } }
    }

    private func change(_ index: Int, _ body: (inout DestinationSettings) -> Void) {
        body(&streams[index].settings)
        let (id, settings) = (streams[index].id, streams[index].settings)
        touch { machine, _ in machine.changed(id, settings: settings) }
    }

    /// The faults are over, and nobody stops anything any more.
    func calmDown() {
        log("calm")
        kinesis.weather = []
        queue.delays.loadFailure = 0
        queue.limits = ModelQueue.Limits()
        fuse = nil
        isCalm = true
        calmSince = world.now
        for index in streams.indices {
            perform(.resume(index))
            perform(.unpark(index))
        }
        if scenario.isPoisoned { proveOthers() }
    }

    /// A poison event is known only by others that are taken: they go on being posted.
    private func proveOthers() {
        for stream in streams { post([draft(of: stream, key: .init(.none))], to: stream) }
        world.after(.seconds(5)) { [unowned self] in if !isDone { proveOthers() } }
    }
}

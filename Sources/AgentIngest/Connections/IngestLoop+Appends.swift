// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import NIOCore

/// To the queue and back.
///
/// Events that come up during one turn of the loop are handed over together, at its end; answers come back with one
/// hop for all of a commit, and leave with one write for each connection.
extension IngestLoop {
    /// Whose events they are.
    enum Owner {
        case exchange(HTTPConversation, sequence: UInt64, shape: any RequestShape)
        case lines(LinesConversation)
    }

    /// - Parameters:
    ///   - events: one or more.
    ///   - identity: where the client gave the request a key.
    ///   - size: bytes that came in with them.
    ///   - bytes: what the budget has admitted for them, to be released with the answer.
    func append(_ events: [NewEvent], _ identity: RequestIdentity? = nil, size: Int, bytes: Int, owner: Owner) {
        var wait: DeliveryWait?
        var waitsForRoom = false
        switch owner {
        case .exchange(let conversation, let sequence, let shape):
            if shape.awaitsDelivery { wait = self.wait(for: events, shape.waitTime ?? times.putWait) }
            if wait == nil, shape.needsDelivery {
                conversation.refuse(sequence, .notDelivering, type(of: shape))
                return release(bytes)
            }
        case .lines: waitsForRoom = true
        }
        let token = requests.insert(.init(owner: owner, count: events.count, bytes: bytes, wait: wait, size: size))
        if batch.isEmpty { eventLoop.execute { self.handOver() } }
        batch.append(
            AppendRequest(
                events: events,
                awaitsDelivery: wait != nil,
                waitsForRoom: waitsForRoom,
                identity: identity,
                token: token,
                receiver: self
            )
        )
    }

    /// `nil` where one more must not wait, or it would be in vain.
    private func wait(for events: [NewEvent], _ time: TimeAmount) -> DeliveryWait? {
        guard requests.mayAwait(events.count) else { return nil }
        let destinations = DestinationSet(of: events)
        guard destinations.allSatisfy({ rules.directory.isDelivering($0) }) else { return nil }
        return DeliveryWait(for: destinations, time)
    }

    private func handOver() {
        let requests = batch
        batch = []
        batch.reserveCapacity(requests.count)
        tally.handedOver(requests.count, at: eventLoop.now)
        queue.append(requests)
    }

    func appended(_ answers: [AppendAnswer]) {
        eventLoop.execute {
            self.tally.answered(answers.count, at: self.eventLoop.now)
            for answer in answers { self.settle(answer) }
            self.tally.tell()
            self.flush()
        }
    }

    func delivered(_ notices: [DeliveryNotice]) {
        eventLoop.execute {
            for notice in notices {
                if let ended = self.requests.delivered(notice) { self.stored(ended.request, ended.events) }
            }
            self.tally.tell()
            self.flush()
        }
    }

    private func settle(_ answer: AppendAnswer) {
        var released = 0
        let request = requests.answered(answer, now: eventLoop.now, released: &released) {
            rules.directory.isDelivering($0)
        }
        guard let request else {
            release(released)
            return scheduleWait()
        }
        switch answer.outcome {
        case .stored(let first), .repeated(let first):
            stored(request, StoredEvents(first: first, count: request.count, request.wait))
        case .refused(let why): refused(request, why)
        }
    }

    private func stored(_ request: PendingRequests<Owner>.Request, _ events: StoredEvents) {
        if request.wait != nil { giveUp(events) }
        switch request.owner {
        case .exchange(let conversation, let sequence, let shape):
            if !request.isRepeat {
                tally.accepted(type(of: shape).door, events: request.count, bytes: request.size)
            }
            conversation.answer(sequence, shape, events)
        case .lines(let conversation):
            tally.accepted(.lines, events: request.count, bytes: request.size)
            conversation.stored()
        }
        release(request.bytes)
    }

    private func refused(_ request: PendingRequests<Owner>.Request, _ why: AppendRefusal) {
        switch request.owner {
        case .exchange(let conversation, let sequence, let shape):
            conversation.refuse(sequence, Refusal(why), type(of: shape))
        case .lines(let conversation): conversation.refused(why)
        }
        release(request.bytes)
    }

    // MARK: Waits for delivery

    private func scheduleWait() {
        guard let end = requests.nextEnd else { return }
        if let nextLook, nextLook <= end { return }
        nextLook = end
        eventLoop.scheduleTask(deadline: end) {
            // One that was scheduled since comes sooner, and looks for all.
            guard self.nextLook == end else { return }
            self.nextLook = nil
            self.endWaits()
            self.flush()
            self.scheduleWait()
        }
    }

    /// Answers what is known to those that have waited long enough.
    func endWaits() {
        let now = eventLoop.now
        while let ended = requests.nextEnded(at: now) { stored(ended.request, ended.events) }
        tally.tell()
    }

    /// Nobody waits any more for what is not known yet of `events`: tells so with all others of this turn.
    private func giveUp(_ events: StoredEvents) {
        for index in 0..<events.count where events.delivery(of: index) == nil {
            if givenUp.isEmpty {
                eventLoop.execute {
                    let events = self.givenUp
                    self.givenUp = []
                    self.stoppedWaiting(events)
                }
            }
            givenUp.append(events.id(of: index))
        }
    }
}

// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import NIOCore

extension HTTPConversation {
    /// Answers a request, in its turn. Does nothing when the connection is gone.
    func answer(_ sequence: UInt64, _ write: (ReplyContext, inout ByteBuffer) -> Void) {
        guard exchanges.contains(sequence) else { return }
        let loop = connection.loop
        if loop.isDraining, exchanges.count == 1 { exchanges[sequence].mode.closes = true }
        var mode = exchanges[sequence].mode
        let context = ReplyContext(mode: mode, date: loop.date)
        guard sequence == exchanges.first else {
            var reply = ByteBuffer()
            write(context, &reply)
            exchanges[sequence].reply = reply
            return
        }
        write(context, &connection.outbox)
        exchanges.removeFirst()
        while !mode.closes, !exchanges.isEmpty, let reply = exchanges[exchanges.first].reply {
            connection.outbox.writeImmutableBuffer(reply)
            mode = exchanges[exchanges.first].mode
            exchanges.removeFirst()
        }
        if mode.closes { return connection.finish() }
        if exchanges.owesContinue { sayContinue() }
        connection.flushLater()
        exchangeEnded()
    }

    /// Asks for the body of the request that is next in turn, if it waits for that.
    func sayContinue() {
        guard exchanges.owesContinue else { return }
        exchanges[exchanges.first].owesContinue = false
        connection.outbox.writeStaticString(Reply.continuation)
        connection.flushLater()
    }

    func refuse(_ sequence: UInt64, _ refusal: Refusal, _ shape: ReplyShape) {
        var refusal = refusal
        if shape == .lambda {
            refusal = Refusal(
                refusal.isClients ? 400 : 500,
                refusal.code,
                refusal.message,
                retryAfter: refusal.retryAfter
            )
        }
        answer(sequence) { Reply.refusal(refusal, $0, to: &$1) }
    }

    func answer(_ sequence: UInt64, _ shape: ReplyShape, _ outcome: AppendAnswer.Outcome, count: Int) {
        switch (outcome, shape) {
        case (.stored(let first), .native):
            answer(sequence) { Reply.accepted(count, first: first.rawValue, status: 202, $0, to: &$1) }
        case (.stored(let first), .lambda):
            answer(sequence) { Reply.accepted(count, first: first.rawValue, status: 200, $0, to: &$1) }
        case (.stored(let first), .put):
            answer(sequence) {
                Reply.json([("Id", .number(first.rawValue)), ("Status", .text("queued"))], 202, $0, to: &$1)
            }
        case (.refused(let why), _):
            refuse(sequence, Refusal(why), shape)
        }
    }

    func answer(_ sequence: UInt64, _ notice: DeliveryNotice) {
        let id = ("Id", Reply.Value.number(notice.id.rawValue))
        answer(sequence) { context, buffer in
            switch notice.outcome {
            case .delivered(let number, let shard):
                let members = [("SequenceNumber", Reply.Value.text(number)), ("ShardId", .text(shard))]
                Reply.json(members, 200, context, to: &buffer)
            case .deadLettered(let code, let reason):
                let members = [
                    id, ("Status", .text("dead_lettered")), ("error", .text(code)), ("message", .text(reason)),
                ]
                Reply.json(members, 422, context, to: &buffer)
            case .dropped:
                let why = "The event was removed by queue.max_age or queue.when_full before it was delivered."
                let members = [id, ("Status", .text("dropped")), ("error", .text("dropped")), ("message", .text(why))]
                Reply.json(members, 422, context, to: &buffer)
            }
        }
    }
}

extension RequestPlan {
    var shape: ReplyShape {
        switch form {
        case .event, .lines: .native
        case .put: .put
        case .lambda: .lambda
        }
    }
}

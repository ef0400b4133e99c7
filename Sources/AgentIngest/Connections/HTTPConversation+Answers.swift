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
        let context = ReplyContext(mode: mode, date: loop.date, fields: loop.access.fields(for: mode.origin))
        guard sequence == exchanges.first else {
            var reply = ByteBuffer()
            write(context, &reply)
            exchanges.keep(reply, for: sequence)
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

    /// Answers a request whose events are kept.
    func answer(_ sequence: UInt64, _ shape: any RequestShape, _ events: StoredEvents) {
        answer(sequence) { shape.reply(to: events, $0, to: &$1) }
    }

    /// - Parameter shape: the form in which it is said; `nil`: the usual one.
    func refuse(_ sequence: UInt64, _ refusal: Refusal, _ shape: (any RequestShape.Type)? = nil) {
        if exchanges.contains(sequence) { loop.tally.refused(refusal.code) }
        answer(sequence) { context, buffer in
            if let shape {
                shape.reply(to: refusal, context, to: &buffer)
            } else {
                Reply.refusal(refusal, context, to: &buffer)
            }
        }
    }
}

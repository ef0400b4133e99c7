// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import NIOCore

// `GET /metrics`: the text is made elsewhere, and put out here. Meanwhile the loop serves others.

/// Keeps those who ask for metrics without end from taking the memory and time of others.
struct MetricsPace {
    private static let mostAtOnce = 10
    private static let period = TimeAmount.seconds(1)

    private var began: NIODeadline?
    private var count = 0

    /// Whether one more may be made now.
    mutating func admits(at now: NIODeadline) -> Bool {
        if let began, now - began < Self.period {
            count += 1
        } else {
            (began, count) = (now, 1)
        }
        return count <= Self.mostAtOnce
    }
}

extension Refusal {
    static let metricsTooOften = Refusal(
        503,
        "too_many_scrapes",
        "Metrics were asked for more than ten times in a second. Try again later.",
        retryAfter: 1
    )
}

extension HTTPConversation {
    /// Answers in the request's turn, once the text is there.
    func answerMetrics() {
        let sequence = sequence
        guard loop.metricsPace.admits(at: loop.eventLoop.now) else { return refuse(sequence, .metricsTooOften) }
        // No other request of the connection is looked at until then: each may take as much room.
        isPageDue = true
        let eventLoop = loop.eventLoop
        let conversation = NIOLoopBound(self, eventLoop: eventLoop)
        loop.metricsPage { page in
            eventLoop.execute {
                conversation.value.isPageDue = false
                conversation.value.answer(sequence) { Reply.metrics(page, $0, to: &$1) }
                conversation.value.loop.flush()
            }
        }
    }
}

extension Reply {
    fileprivate static func metrics(_ page: [UInt8], _ context: ReplyContext, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("HTTP/1.1 200 OK\r\n")
        if context.mode.closes { buffer.writeStaticString("Connection: close\r\n") }
        if context.mode.saysKeepAlive, !context.mode.closes { buffer.writeStaticString("Connection: keep-alive\r\n") }
        buffer.writeString(context.date)
        buffer.writeString(context.fields)
        buffer.writeString("Content-Type: \(PrometheusText.contentType)\r\nContent-Length: \(page.count)\r\n\r\n")
        if !context.mode.omitsBody { buffer.writeBytes(page) }
    }
}

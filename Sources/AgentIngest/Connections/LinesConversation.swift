// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import Glibc
internal import NIOCore

/// Lines on the Unix socket: `{"stream":…,"partition_key":…,"event":…}`, acknowledged by count.
///
/// One group of lines is with the queue at a time; what arrives meanwhile makes the next one. So lines of a connection
/// are stored in their order even when the queue is full and a group has to be offered again, and the faster lines
/// come, the more of them share a commit.
///
/// A line that is no good is answered and counts as handled. A full queue refuses nothing: the group is offered again
/// until it fits, and meanwhile the client's writes block.
final class LinesConversation: Conversation {
    /// What may be buffered while a group is with the queue, and what may be said before it is written.
    private static let readAhead = 256 << 10
    private static let sayAhead = 16 << 10
    /// Lines that are looked at before the other connections have their turn.
    private static let maxInTurn = 500
    /// A line's members beside its event.
    private static let envelopeBytes = 4 << 10
    private static let retryDelays = (first: TimeAmount.milliseconds(20), last: TimeAmount.milliseconds(500))

    private let connection: Connection
    private var loop: IngestLoop { connection.loop }
    private let builder: LineBuilder
    private let maxLineBytes: Int

    private var inbox = ByteBuffer()
    /// Bytes of the inbox that were searched for a line end.
    private var searched = 0
    private var isSkipping = false
    private var hasInputEnded = false
    private var isDraining = false
    /// No more lines are looked at before the client has read what was said of others.
    private var isStalled = false
    private var takenInTurn = 0
    private var isPostponed: Bool { takenInTurn == Self.maxInTurn }
    private var isOver = false

    /// Lines seen, and lines that the client was told of.
    private var lineNumber = 0
    private var acked = 0
    /// With the queue; and what comes after it, where a group had to be split.
    private var group: LineGroup?
    private var later: [LineGroup] = []
    private var delay: TimeAmount?
    private var lastInput: NIODeadline

    init(_ connection: Connection) {
        self.connection = connection
        builder = LineBuilder(rules: connection.loop.rules)
        maxLineBytes = connection.loop.rules.maxEventBytes + Self.envelopeBytes
        lastInput = connection.loop.now
    }

    var wantsInput: Bool {
        !isOver && !isDraining && !isStalled && !isPostponed && (group == nil || inbox.readableBytes < Self.readAhead)
    }

    var heldBytes: Int {
        var bytes = inbox.readableBytes + (group?.cost ?? 0)
        for next in later { bytes += next.cost }
        return bytes
    }

    var isSmall: Bool { false }
    var missingBytes: Int? { nil }
    var isIdle: Bool { group == nil && inbox.readableBytes == 0 }
    var waitsForQueue: Bool { group != nil }

    // MARK: Input

    func received(_ buffer: inout ByteBuffer) {
        if isOver { return }
        lastInput = loop.now
        if connection.isSurplus {
            say(line: 1, .tooManyConnections)
            return end()
        }
        inbox.writeBuffer(&buffer)
        advance()
    }

    func inputEnded() {
        hasInputEnded = true
        advance()
    }

    /// Makes the next group of what is there, unless one is on its way.
    private func advance() {
        guard !isOver, group == nil, !isStalled, !isPostponed else { return }
        var next = LineGroup()
        while !next.isFull, !isStalled, !isPostponed, let line = nextLine() {
            take(line, into: &next)
            isStalled = connection.outbox.readableBytes > Self.sayAhead
            takenInTurn += 1
            if isPostponed { loop.later(connection) }
        }
        if inbox.readableBytes > 0 {
            inbox.discardReadBytes()
        } else {
            inbox = ByteBuffer()
            if !isPostponed { takenInTurn = 0 }
        }
        if next.events.isEmpty {
            acknowledge(lineNumber)
            if (hasInputEnded || isDraining) && !isStalled && !isPostponed { end() }
        } else {
            submit(next)
        }
    }

    /// The next whole line, without its end; `nil` where there is none yet.
    private func nextLine() -> ByteBuffer? {
        while true {
            let length = inbox.withUnsafeReadableBytes { bytes -> Int? in
                guard let base = bytes.baseAddress, searched < bytes.count else { return nil }
                return memchr(base + searched, 0x0a, bytes.count - searched).map { UnsafeRawPointer($0) - base }
            }
            guard let length else {
                searched = inbox.readableBytes
                if isSkipping || searched > maxLineBytes { skipRest() }
                guard hasInputEnded, !isDraining, !isSkipping, inbox.readableBytes > 0 else { return nil }
                searched = 0
                return inbox.readSlice(length: inbox.readableBytes)
            }
            searched = 0
            let line = inbox.readSlice(length: length)
            inbox.moveReaderIndex(forwardBy: 1)
            if isSkipping {
                isSkipping = false
                continue
            }
            return line
        }
    }

    /// The line is too long whatever follows: refuses it once and forgets what is there of it.
    private func skipRest() {
        if !isSkipping {
            isSkipping = true
            lineNumber += 1
            refuseLength()
        }
        inbox.clear()
        searched = 0
    }

    private func refuseLength() {
        let message = "The line is longer than \(maxLineBytes) bytes. Send smaller events."
        say(line: lineNumber, Refusal(413, "line_too_long", message))
    }

    private func take(_ line: ByteBuffer, into group: inout LineGroup) {
        var bytes = line.withUnsafeReadableBytes { [UInt8](copying: $0) }
        if bytes.last == 0x0d { bytes.removeLast() }
        if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { return }
        lineNumber += 1
        if bytes.count > maxLineBytes { return refuseLength() }
        do throws(Refusal) {
            group.append(try builder.event(bytes), line: lineNumber)
        } catch {
            say(line: lineNumber, error)
        }
    }

    // MARK: To the queue and back

    private func submit(_ next: LineGroup) {
        group = next
        loop.append(next.events, size: next.eventBytes, bytes: 0, owner: .lines(self))
    }

    func stored() {
        guard !isOver, group != nil else { return }
        delay = nil
        groupEnded()
    }

    func refused(_ why: AppendRefusal) {
        guard !isOver, let group else { return }
        guard let limit = why.roomLimit else { return refuse(group, why) }
        guard group.cost > limit else { return offerAgain() }
        // It never fits as it is.
        if group.events.count == 1 { return refuse(group, why) }
        let (first, second) = group.halves()
        later.insert(second, at: 0)
        submit(first)
    }

    private func refuse(_ group: LineGroup, _ why: AppendRefusal) {
        let refusal = Refusal(why)
        for number in group.numbers { say(line: number, refusal) }
        groupEnded()
    }

    private func groupEnded() {
        group = nil
        if !later.isEmpty {
            let next = later.removeFirst()
            acknowledge((next.numbers.first ?? 1) - 1)
            return submit(next)
        }
        acknowledge(lineNumber)
        advance()
        connection.account()
        connection.resumeReading()
    }

    private func offerAgain() {
        let wait = delay ?? Self.retryDelays.first
        delay = min(wait * 2, Self.retryDelays.last)
        loop.eventLoop.assumeIsolated().scheduleTask(in: wait) { [weak self] in
            guard let self, !self.isOver, let group = self.group else { return }
            self.submit(group)
        }
    }

    private func acknowledge(_ number: Int) {
        guard number > acked else { return }
        acked = number
        write(Reply.object([("acked", .number(Int64(number)))]))
    }

    private func say(line: Int, _ refusal: Refusal) {
        loop.tally.refused(refusal.code)
        write(
            Reply.object([
                ("line", .number(Int64(line))), ("error", .text(refusal.code)), ("message", .text(refusal.message)),
            ])
        )
    }

    private func write(_ object: [UInt8]) {
        connection.outbox.writeBytes(object)
        connection.outbox.writeInteger(UInt8(ascii: "\n"))
        connection.flushLater()
    }

    // MARK: What the connection says

    private func end() {
        isOver = true
        connection.finish()
    }

    func roomGranted(_ bytes: Int) {}

    func mayReadOn() { lastInput = loop.now }

    func flushed() {
        guard isStalled, !connection.isUnread else { return }
        isStalled = false
        advance()
        connection.resumeReading()
    }

    func goOn() {
        takenInTurn = 0
        advance()
    }

    /// What the queue has of it is answered no more, and so not acknowledged: the client sends it again.
    func giveWay() {
        if group == nil { say(line: lineNumber + 1, .crowdedOut) }
        end()
    }

    func drain() {
        // What was not read whole the client sends again; it was not acknowledged.
        isDraining = true
        advance()
    }

    func lost() {
        isOver = true
        inbox = ByteBuffer()
        group = nil
        later = []
    }

    func sweep(now: NIODeadline) {
        if group == nil, now - lastInput > loop.times.idle { connection.close() }
    }
}

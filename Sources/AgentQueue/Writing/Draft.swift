// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// What a transaction will have done once it is committed.
struct Draft {
    private(set) var commit = Commit()
    private(set) var answers = Answers()
    private var notices: [(receiver: any AppendReceiver, notice: DeliveryNotice)] = []
    private var replies: [(order: Order, outcome: Order.Outcome)] = []
    /// Events by destination, as they were appended.
    private var appended: [(position: Int, id: DestinationID, events: [StoredEvent])] = []
    private var places: [Int: Int] = [:]
    /// Whether it writes anything but counts.
    private(set) var changesFile = false
    /// How old the oldest event of a destination was, for each settlement that had it.
    private(set) var deliveryAgesMS: [Int64] = []

    /// Events that it touches.
    var rows: Int {
        commit.appended.reduce(0) { $0 + $1.events.count } + commit.settled.reduce(0) { $0 + $1.ids.count }
            + commit.deadLettered.count + commit.removed.reduce(0) { $0 + $1.count }
    }

    var changesEvents: Bool {
        !commit.appended.isEmpty || !commit.settled.isEmpty || !commit.deadLettered.isEmpty || !commit.removed.isEmpty
    }

    mutating func append(_ event: StoredEvent, to id: DestinationID, at position: Int) {
        appended[place(of: position, id)].events.append(event)
    }

    /// Events of one destination with ids from `first` on.
    mutating func append(
        _ events: ArraySlice<NewEvent>,
        first: EventID,
        acceptedMS: Int64,
        to id: DestinationID,
        at position: Int
    ) {
        let place = place(of: position, id)
        var next = first.rawValue
        for event in events {
            appended[place].events.append(
                StoredEvent(id: EventID(next), key: event.key, acceptedMS: acceptedMS, data: event.data)
            )
            next += 1
        }
    }

    /// Where the events of a destination are gathered.
    private mutating func place(of position: Int, _ id: DestinationID) -> Int {
        changesFile = true
        // Looked at in place: a copy of the element would make the array of events be copied.
        let last = appended.count - 1
        if last >= 0, appended[last].position == position { return last }
        if last >= 0, let known = places[position] { return known }
        places[position] = appended.count
        appended.append((position, id, []))
        return appended.count - 1
    }

    mutating func store(_ request: AppendRequest, first: EventID) {
        answers.add(.stored(first: first), to: request)
        guard request.awaitsDelivery else { return }
        for (offset, event) in request.events.enumerated() {
            wait(for: EventID(first.rawValue + Int64(offset)), of: event.destination, request)
        }
    }

    /// Its events are stored already; see ``wait(for:of:_:)`` and ``tell(_:to:)`` where somebody waits for them.
    mutating func answerAgain(_ request: AppendRequest, first: EventID) {
        answers.add(.repeated(first: first), to: request)
    }

    mutating func wait(for id: EventID, of destination: DestinationID, _ request: AppendRequest) {
        commit.awaited.append(
            Commit.Awaited(id: id, destination: destination, token: request.token, receiver: request.receiver)
        )
    }

    /// What became of an event is known already.
    mutating func tell(_ notice: DeliveryNotice, to receiver: any AppendReceiver) {
        notices.append((receiver, notice))
    }

    mutating func refuse(_ request: AppendRequest, _ refusal: AppendRefusal) {
        answers.add(.refused(refusal), to: request)
    }

    /// There is something to write, though no event.
    mutating func touch() { changesFile = true }

    mutating func settle(_ settlement: Settlement) {
        changesFile = true
        commit.settled.append(settlement)
    }

    mutating func deliveredOldest(ageMS: Int64) { deliveryAgesMS.append(max(0, ageMS)) }

    mutating func bury(_ letter: DeadLetter) {
        changesFile = true
        commit.deadLettered.append(letter)
    }

    mutating func remove(_ rows: RemovedRows, of id: DestinationID, at position: Int, cause: Commit.RemovalCause) {
        guard rows.count > 0 else { return }
        changesFile = true
        commit.removed.append(
            Commit.Removal(destination: id, through: rows.through, count: rows.count, cause: cause)
        )
        if let place = places[position] { appended[place].events.removeAll { $0.id <= rows.through } }
    }

    mutating func reply(to order: Order, _ outcome: Order.Outcome) {
        changesFile = true
        replies.append((order, outcome))
    }

    /// Call once, when all is in.
    mutating func finish() {
        commit.appended = appended.compactMap { entry in
            entry.events.isEmpty ? nil : Commit.Appended(destination: entry.id, events: entry.events)
        }
        appended = []
        places = [:]
    }

    /// Its senders have been answered otherwise.
    mutating func forgetAnswers() {
        answers = Answers()
        notices = []
        replies = []
    }

    func sendNotices() {
        for (receiver, notice) in notices { receiver.delivered([notice]) }
    }

    func sendReplies() {
        for (order, outcome) in replies { order.reply(.success(outcome)) }
    }
}

/// Answers, gathered so that each receiver is called once.
struct Answers {
    private var receivers: [(receiver: any AppendReceiver, answers: [AppendAnswer])] = []
    private var positions: [ObjectIdentifier: Int] = [:]

    mutating func add(_ outcome: AppendAnswer.Outcome, to request: AppendRequest) {
        let answer = AppendAnswer(token: request.token, outcome: outcome)
        let last = receivers.count - 1
        if last >= 0, receivers[last].receiver === request.receiver {
            receivers[last].answers.append(answer)
            return
        }
        let identity = ObjectIdentifier(request.receiver)
        if let position = positions[identity] {
            receivers[position].answers.append(answer)
        } else {
            positions[identity] = receivers.count
            receivers.append((request.receiver, [answer]))
        }
    }

    func send() {
        for (receiver, answers) in receivers { receiver.appended(answers) }
    }

    static func refuse(_ requests: [AppendRequest], _ refusal: AppendRefusal) {
        var answers = Answers()
        for request in requests { answers.add(.refused(refusal), to: request) }
        answers.send()
    }
}

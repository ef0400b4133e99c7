# SPDX-License-Identifier: Apache-2.0
"""Ways to break delivery, each of which a test of the simulation has to notice.

A mutation is a name, a file, a text that is there exactly once, and what takes its place. There, MUTANT stands for
"this mutation is the one that is on".
"""


def instead(old, new):
    """Not the statements `old`, but `new`."""
    return old, f"if MUTANT {{ {new} }} else {{ {old} }}"


def never(old):
    """The statements `old` are left out."""
    return old, f"if !MUTANT {{ {old} }}"


def also(old, new):
    """`new` follows the statements `old`."""
    return old, f"{old}\nif MUTANT {{ {new} }}\n"


def value(old, new):
    """Not the value of the expression `old`, but that of `new`."""
    return old, f"(MUTANT ? ({new}) : ({old}))"


def within(before, change, after=""):
    """A change to a text that is there more than once, found by what stands around it."""
    old, new = change
    return before + old + after, before + new + after


MACHINE = "DeliveryMachine.swift"
PLANNING = "DeliveryMachine+Planning.swift"
BOUNDS = "DeliveryMachine+Bounds.swift"
SENDING = "DeliveryMachine+Sending.swift"
LOADING = "DeliveryMachine+Loading.swift"
GIVING_UP = "DeliveryMachine+GivingUp.swift"
ANSWERS = "DeliveryMachine+Answers.swift"
STATE = "DestinationState.swift"
BATCHING = "DestinationState+Batching.swift"
READING = "DestinationState+Reading.swift"
FORGETTING = "DestinationState+Forgetting.swift"
GATE = "Gate.swift"
LANES = "LaneTable.swift"
SCHEDULE = "Schedule.swift"
PACE = "ShardPace.swift"
THROTTLING = "DestinationState+Throttling.swift"
ISOLATION = "Isolation.swift"
SETTINGS = "DeliverySettings.swift"

MUTATIONS = [
    # Order of keys.
    ("a failed event goes behind its key's line", STATE,
     instead("keys[item.key]?.waiting.prepend(item)", "keys[item.key]?.waiting.append(item)")),
    ("a key is free after a time-out", ANSWERS,
     also("for record in 0..<attempt.shape.records { restore(attempt.items[attempt.shape.events(of: record)], to: state) }",
          "for item in attempt.items { state.keys[item.key]?.phase = .held; state.release(item.key) }")),
    ("a key is free before its settlement committed", ANSWERS,
     also("state.settling[ids[0]] = keys", "for key in keys where !key.isNone { state.release(key) }")),
    ("a key is free although its head failed", ANSWERS,
     instead("state.retry(item, at: due, share: share)",
             "state.release(item.key); state.retry(item, at: due, share: share)")),
    ("two events of a key in one request", BATCHING,
     within("if ", ("claim(item.key)", "claim(item.key) || MUTANT"), " { addChecked(")),
    ("a dead letter leaves its key busy", MACHINE,
     never("if !key.isNone { state.release(key) }")),
    ("an evicted event leaves its key busy", STATE,
     never("if !item.key.isNone { release(item.key) }")),

    # Answers.
    ("settled before the answer", SENDING,
     also("actions.append(.send(batch(id, of: state, draft)))",
          "actions.append(.settle(Settlement(destination: state.id, ids: draft.items.map(\\.id).sorted())))")),
    ("a short answer counts", ANSWERS,
     within("where ", value("records.count == attempt.shape.records", "records.count <= attempt.shape.records"), ":")),
    ("entries are read in the wrong order", ANSWERS,
     within("switch records[", value("record", "records.count - 1 - record"), "] {")),
    ("a partial failure fails the whole request", ANSWERS,
     within("switch outcome {\n        ",
            ("case .answered(let records) where",
             "case .answered(let records) where MUTANT && records.contains { if case .refused = $0 { true } else { false } }:\n"
             "requestFailed(attempt, SendFailure(kind: .unintelligible, message: \"\"), now: now)\n"
             "case .answered(let records) where"))),
    ("an event that fails is given up", ANSWERS,
     within("case .transient, .endpoint:\n                    ",
            instead("comeBack(attempt.items[places], to: state, backoff: .transient, now: now)",
                    "for item in attempt.items[places] { bury(item, of: state, code: code, reason: message) }"))),
    ("the first record refused is given up", ISOLATION,
     also("let since = group.suspectSince ?? now", "return group.items[0]")),
    ("settlements are not sorted", ANSWERS,
     value("isAscending(ids) ? ids : ids.sorted()", "ids")),
    ("evicted events are sent", BATCHING,
     within("if ", value("item.id <= goneThrough", "false"), " {\n                drop(item)")),

    ("a suspect that a limit removed is tried again", FORGETTING,
     within("for item in ", value("isolation.remove(through: goneThrough)", "[]"))),

    # Health.
    ("a breaker never closes", GATE,
     within("return nil\n        }\n        ", never("failures = 0"))),
    ("a probe is never over", GATE, never("if probe == attempt { probe = nil }")),
    ("a window never opens again", GATE,
     within("func ended(_ attempt: AttemptID) {\n        ", never("inFlight.remove(attempt)"))),
    ("the fault of one is blamed on all", GATE, value("doubted.contains(destination)", "false")),
    ("new events wait for the probe of a suspect", PLANNING,
     never("if state.gate.isShut, state.mayProveSuspects, state.gate.until > now { probeNow(state.gate, now) }")),
    ("what is sick is probed without a pause", GATE,
     within(": ", value("now + delay", "now"))),
    ("what fails is tried again without a pause", ANSWERS,
     within("let due = (", value("now + backoff.delay(failures: failures, using: &generator)", "now"))),
    ("pauses do not grow", ANSWERS,
     within("let failures = ", value("1 + (items.first?.failures ?? 0)", "1"))),
    ("retries never come due", PLANNING,
     never("if let timer = state.timers.min { schedule.wake(state, at: timer.due) }")),

    # Reading.
    ("a lane that was spilled is never read", LANES,
     within("for (lane, id) in resume where ", value("keys[Int(lane)] == 0", "false"), " && isWanted")),
    ("a lane is read while its keys are busy", LANES,
     within("for (lane, id) in resume where keys[Int(lane)] ==", (" 0 && isWanted(lane) {", " 0 && isWanted(lane) || MUTANT {"))),
    ("lanes are read past the rest", READING,
     within("event.id > goneThrough && ", value("event.id <= readThrough", "true"))),
    ("a commit is taken while a load is under way", READING,
     within("let isNext = ", value("isCaughtUp", "true"))),
    ("read again while events are under way", READING,
     within("if needsRescan { return ", value("outstanding == 0", "true"), " }")),
    ("not read again from the oldest", FORGETTING,
     within("readThrough = ", value("goneThrough", "lastCommitted"))),
    ("a failed load is never repeated", READING,
     within("", ("guard let load = endLoad() else { return }\n        loadsAgainAt",
                 "guard let load = MUTANT ? pendingLoad : endLoad() else { return }\n        loadsAgainAt"))),
    ("what is only remembered is never probed", READING,
     within("if ", value("remembersOnly", "false"), " {")),
    ("damaged events are forgotten", READING,
     within("let new = ", value("ids.filter { dying[$0] == nil && $0 > goneThrough }", "[]"))),

    # Bounds.
    ("payloads are never let go of", ANSWERS,
     never("state.charge(-attempt.items[i].cost)")),
    ("no room is kept for loads", READING, never("ledger.reserved += bytes")),
    ("blocked events keep their payloads", STATE,
     within("if ", value("waitingBytes + item.cost > share / 2", "false"), " ||")),
    ("events read beyond the limit gather behind a key", STATE,
     within("|| ", value("held > grant", "false"), " {")),
    ("any number of events is remembered", FORGETTING,
     within("let fullest = ", value("lanes?.fullest(leaving: most / 2)", "LaneSet()"))),
    ("memory is given back in circles", BOUNDS, value("state.held <= state.grant", "true")),
    ("a paused destination keeps its memory", MACHINE,
     within("state.isPaused = true\n        ", never("state.giveBack()"))),

    # Fairness.
    ("who is hungry is never served", LOADING, never("loadHungry(forProbes: false, mostRefused: 64, now: now)")),

    # Shards.
    ("a shard that takes nothing is asked all the time", PACE,
     within("until = ", value("now + Backoff.throttled.delay(failures: failures, using: &generator)", "now"))),
    ("records are not counted against their shard", PACE,
     value("max(credit(at: now) - ShardUse.time(bytes: bytes), -Self.longestDebt * share)", "credit")),
    ("a probe of a shard is never over", PACE, never("if probe == attempt { probe = nil }")),
    ("a shard that takes records again stays shut", PACE,
     within("", never("failures = 0"), "\n        probe = nil")),
    ("what waits for a shard is not among its line", THROTTLING,
     within("", ("holdFirst(item, phase: .gated, share: share)\n",
                 "holdFirst(item, phase: .gated, share: share)\nif MUTANT { continue }\n"))),
    ("a fresh event overtakes those that wait for its shard", THROTTLING,
     value("keys.index(forKey: item.key) == nil", "true")),
    ("a shard that was split keeps what waits for it", ANSWERS, never("state.release(gone ?? [])")),
    ("lanes of a shard that takes nothing are read all the time", READING,
     within("return lanes.readable { ", value("throttle.isHungry($0, now: now)", "true"), " }")),
    ("any shard is good for events without a key", THROTTLING,
     value("throttle?.limit(of: point)?.pace?.permits(now: context.now) ?? true", "true")),
    ("payloads are not fetched for a shard", PLANNING,
     never("schedule.wake(state, at: state.prefetch(now: now))")),

    # Sharing.
    ("all who share a gate probe it", GATE, value("faulted.count < Self.proof", "true")),
    ("what the service asks for is not heard", GATE,
     never("if let retryAfter { wait(min(retryAfter, .seconds(3600)), now: now, generator: &generator) }")),
    ("all read what a probe is made of", LOADING,
     value("$0.isDormant && $0.isAnothersTurn(than: state)", "false")),
    ("those that wait for a gate are not woken", ANSWERS,
     within("state.waitsFor = nil\n            ", never("schedule.touch(state)"))),
    ("a request that took too long is made again just as large", ANSWERS,
     value("failure.asksForLess", "false")),
    ("retries do not travel together", ANSWERS,
     within("rounded(upTo: ", value("settings.linger", ".zero"))),
    ("what is too large for the settings is lost", BATCHING, never("oversize[item.id] = item.key")),
    ("every destination is looked at", PLANNING,
     also("schedule.touchDue(now: now)", "for state in all { schedule.touch(state) }")),

    ("a paused destination is sent to", STATE,
     value("isPaused || settings.parkedBecause != nil", "settings.parkedBecause != nil")),
    ("one destination takes all workers", SETTINGS,
     within("var workersOfOne: Int { ", value("max(1, workers / 2)", "workers"))),
    ("the sick take all workers", SETTINGS,
     within("var workersOfSick: Int { ", value("max(1, workers / 4)", "workers"))),
    ("those that hang take all workers", SETTINGS,
     within("var workersOfLate: Int { ", value("max(1, workers - max(1, workers / 4))", "workers"))),
    ("those that hang are not counted", SENDING,
     never("if standing == .late { lateAttempts += 1 }")),
    ("requests that hang are never given up", GIVING_UP,
     within("actions.append(", (".cancel(id))", ".cancel(MUTANT ? AttemptID(0) : id))"))),
    ("turns are not taken", SCHEDULE,
     instead("lines[standing, default: []].append(state)", "lines[standing, default: []].prepend(state)")),
    ("a request leaves with each commit", BATCHING,
     value("lastRequestAt + (isRead ? spacing : limits.linger)", "lastRequestAt")),
]

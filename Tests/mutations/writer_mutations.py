# SPDX-License-Identifier: Apache-2.0
"""Ways to break the writer, each of which its simulation has to notice: as in mutations.py."""
from mutations import also, instead, never, value, within

MACHINE = "WriterMachine.swift"
MENDING = "WriterMachine+Mending.swift"
ROOM = "WriterMachine+Room.swift"
UNDECIDED = "Undecided.swift"

MUTATIONS = [
    # What is promised.
    ("a commit that failed is answered at once", MACHINE,
     also('say(.notice(.commitFailed(message: error.description)))', 'say(.report(draft))')),
    ("a commit that failed counts as refused", MACHINE,
     instead("fail(Outage(undecided: undecided))",
             "postpone(undecided.work, .storage(message: undecided.message)); fail(Outage())")),
    ("what is in the opened file is not looked for", MENDING,
     within("if ", value("undecided.serial == serial", "false"), " {")),
    ("any commit counts as stored", MENDING,
     within("undecided.serial == serial", (" {", " || MUTANT {"))),
    ("an older commit counts as the undecided one", MACHINE,
     within("serial: ", value("serial", "serial - 1"), ",\n                message:")),
    ("those whose commit is unknown are answered twice", UNDECIDED, never("draft.forgetAnswers()")),
    ("those whose commit is unknown are refused later", UNDECIDED, never("work.requests = []")),
    ("nobody hears of a commit that is stored after all", MENDING, never("say(.report(undecided.draft))")),
    ("nobody hears that a commit is unknown", MENDING,
     within(".leaveOpen(", value("undecided.work.requests", "[]"))),
    ("an unknown commit is called refused", MENDING,
     value(".unknown(message: error.description)", ".storage(message: error.description)")),
    ("appends are not synced", MACHINE,
     value("work.wantsSync && settings.durability == .full", "false")),
    ("a commit that failed is refused, and tried again", MENDING,
     within("isSecondTry = !work.isEmpty\n                ", instead("again(work)", "again(undecided.work)"))),

    # What is owed.
    ("what could not be removed is forgotten", MACHINE,
     within("work.orders = []\n        ", never("owed.append(work)"))),
    ("debts are paid once, whatever becomes of them", MENDING,
     within("} else if let answered = undecided.answered {\n                ", never("owe(undecided.work)"))),
    ("removals that went with the cache are not repeated", MACHINE,
     never("if isLost { owed.append(unsynced) }")),
    ("what a replaced file lost is not repeated", MENDING,
     within("lost", ("Unsynced(true)", "Unsynced(!MUTANT)"))),
    ("removals that were not synced are not remembered", MACHINE,
     never("unsynced.remember(transaction.work, unless: transaction.isSynced)")),
    ("what met the damage is lost", MENDING,
     within("if let (work, _) = outage.interrupted { ", ("again(work)", "if !MUTANT { again(work) }"), " }")),
    ("what was left to the system is never synced", MACHINE,
     within("guard isUsable, ", value("hasUnsynced || hasUnwritten", "false"), " else")),
    ("each commit counts as synced", MACHINE,
     within("hasUnsynced = ", value("!transaction.isSynced", "false"))),
    ("upkeep does not come for what is owed", MACHINE,
     within("owed.append(work)\n        ", never("say(.planUpkeep)"))),
    ("orders of a commit that failed are not answered", MACHINE,
     never("if !work.orders.isEmpty { say(.reject(work.orders, unavailable)) }")),
    ("orders of an unknown commit are not answered", MENDING,
     never("if !undecided.work.orders.isEmpty { say(.reject(undecided.work.orders, unavailable)) }")),

    # The file.
    ("a file that failed is not opened again", MENDING,
     within("outage.isRepair = true }\n        state = .failed(outage)\n        ", never("say(.reopen)"))),
    ("a file that cannot be opened is not tried again", MENDING,
     within("case .failed: ", never("say(.reopen)"))),
    ("a damaged file is only opened again", MENDING,
     within("case .damaged(_, let error): ", instead("say(.replace(because: error))", "say(.reopen)"))),
    ("a file that is damaged when it is opened is opened for ever", MENDING,
     within("if case .damaged = error", (" {", ", !MUTANT {"), " state = .damaged(outage, error)")),
    ("damage is not mended", MACHINE, within("case .damaged where ", value("!isTampered", "false"), ": damaged(error, work)")),
    ("a new file is replaced as often as it is damaged", MENDING,
     within("/// A transaction with `work` met damage.\n    mutating func damaged(_ error: QueueError, _ work: Work) {\n        if case .repaired = state",
            (" {", ", !MUTANT {"))),
    ("what waits is forgotten while the file stays closed", MENDING,
     never("if let (work, cause) = outage.interrupted { postpone(work, .storage(message: cause.description)) }")),
    ("a commit that always fails is tried for ever", MENDING, within("} else if ", value("isSecondTry", "false"), " {")),
    ("work goes to a file that is closed", MACHINE,
     within("guard isUsable", (" else", " || MUTANT else"), " { return postpone(")),

    # A file that was moved away.
    ("appends go to a file that is gone", ROOM,
     never("if isTampered { return .tampered(path: settings.path) }")),
    ("tampering is forgotten", MACHINE,
     within("case .tampered:\n            ", never("state = .tampered"))),
    ("the rest is lost when the file is gone", MACHINE,
     within("say(.notice(.tampered(path: settings.path)))\n            ", never("again(transaction.work)"))),
    ("a file that is gone is opened again", MACHINE,
     within("if !isTampered", (" {", " || MUTANT {"), " fail(Outage())")),
    ("a commit that failed in a file that is gone opens another", MACHINE,
     within("guard ", value("!isTampered", "true"), " else {\n                // What is open")),

    # Room.
    ("a full disk stops deletes", ROOM,
     instead("say(.releaseReserve(for: .transaction(transaction, freeBytes: freeBytes)))",
             "postpone(work, refusal)")),
    ("rows of a damaged file take the reserve", ROOM,
     within("} else if ", value("transaction.job == .carry", "false"), " {")),
    ("a full disk is never told", ROOM,
     within("case .enough:\n            ", never("room = .short"))),
    ("room is never found again", ROOM,
     within("guard case .short = room else { return }\n        ", never("room = .enough"))),
    ("a reserve that was spent is never whole", ROOM,
     never("if case .reserveSpent(let isTold) = room { room = isTold ? .short : .enough }")),
    ("the reserve is used and nothing is done", ROOM,
     within("if isReleased { ", ("return again(transaction.work)", "return MUTANT ? () : again(transaction.work)"))),
    ("a damaged file is not replaced on a full disk", ROOM,
     within("if isReleased { ", ("say(.replace(because: damage))", "if !MUTANT { say(.replace(because: damage)) }"))),

    # Others who use the file.
    ("the end of a lock is not noticed", MACHINE,
     within("guard isLocked else { return }\n        ", never("isLocked = false"))),
    ("a lock is told at each commit", MACHINE,
     within("guard ", ("!isLocked", "!isLocked || MUTANT"), " else")),
    ("a WAL that is pinned stays so", ROOM,
     within("return isPinned ? ", (".released", "(MUTANT ? .pinned : .released)"), " : nil")),
]

// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// A commit of which nobody knows yet whether it is stored.
struct Undecided {
    private(set) var work: Work
    private(set) var draft: Draft
    /// What the file says if it is stored.
    let serial: Int64
    /// How it failed.
    let message: String
    /// Those whose senders were told that nobody knows; `nil`: nobody was told yet.
    private(set) var answered: [AppendRequest]?

    init(work: Work, draft: Draft, serial: Int64, message: String) {
        self.work = work
        self.draft = draft
        self.serial = serial
        self.message = message
    }

    /// Its senders are told that nobody knows; delivery will be told if it is there.
    mutating func answer() {
        draft.forgetAnswers()
        answered = work.requests
        work.requests = []
        work.orders = []
    }
}

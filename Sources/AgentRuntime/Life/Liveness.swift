// SPDX-License-Identifier: Apache-2.0

/// Whether what must get on does: each part is sent a beat, which comes back when its turn comes.
///
/// Pure. Time is counted in looks, not on a clock: a machine that was asleep, or a process that was stopped, has not
/// been looked at meanwhile.
struct Liveness {
    enum Part: CaseIterable {
        /// What commits events.
        case writer
        /// What decides about delivery.
        case delivery
        /// What reads events from clients, and answers them.
        case intake
    }

    /// After so many looks without its beat a part counts as stalled.
    private let patience: Int
    private var looksWithout: [Part: Int] = [:]
    private var hasBeaten = false

    init(patience: Int) { self.patience = patience }

    /// A look: returns the parts to send a beat to, those whose last one came back.
    mutating func look() -> [Part] {
        let due = Part.allCases.filter { looksWithout[$0] == nil }
        for part in Part.allCases { looksWithout[part, default: -1] += 1 }
        return due
    }

    /// The beat of a part came back.
    mutating func returned(_ part: Part) {
        looksWithout[part] = nil
        hasBeaten = true
    }

    /// Every beat that was sent came back, and one was sent.
    var isWhole: Bool { hasBeaten && looksWithout.isEmpty }

    func isStalled(_ part: Part) -> Bool { (looksWithout[part] ?? 0) >= patience }
}

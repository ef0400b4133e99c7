// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import Synchronization

/// Whether ^C or SIGTERM came. Every loop that waits looks here, so that the programs that were started are stopped and
/// their files removed on the way out.
enum Interruption {
    private static let isRequested = Atomic(false)

    static func catchSignals() {
        // Made before a handler can need it: making it is nothing that a signal handler may do.
        isRequested.store(false, ordering: .relaxed)
        for number in [SIGINT, SIGTERM, SIGHUP] {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { _ in Interruption.isRequested.store(true, ordering: .relaxed) }
            sigaction(number, &action, nil)
        }
        signal(SIGPIPE, SIG_IGN)
    }

    static func check() throws(BenchError) {
        if isRequested.load(ordering: .relaxed) { throw .interrupted }
    }
}

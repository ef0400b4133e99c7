// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// SIGTERM, SIGINT and SIGHUP, which are told to a listener instead of ending the process.
///
/// From ``hold()`` on they wait in the kernel until somebody listens: none is lost, and none finds the process without
/// a handler. (Blocked rather than caught, so that nothing has to be done in a signal handler. A main thread that is
/// given away, as `dispatch_main()` and an asynchronous `main` do, would take them after all: it has to stay.)
public enum HeldSignals {
    public enum Arrival: Sendable, Equatable {
        /// SIGTERM or SIGINT.
        case stop
        /// SIGHUP.
        case reload
    }

    /// The first thing to do in a process: threads inherit it, and only those started later.
    public static func hold() { mask(SIG_BLOCK) }

    /// Gives the signals their usual effect again; those that came meanwhile have it now.
    public static func letGo() { mask(SIG_UNBLOCK) }

    /// Calls `handler` for each signal, on a thread of its own, for as long as the process lives. Once, after
    /// ``hold()``. Of equal signals that come faster than they are handled, the system keeps one.
    public static func listen(_ handler: @escaping @Sendable (Arrival) -> Void) {
        NativeThread.start("agentd-signals") {
            var set = signals
            while true {
                var number: CInt = 0
                guard sigwait(&set, &number) == 0 else { continue }
                handler(number == SIGHUP ? .reload : .stop)
            }
        }
    }

    private static var signals: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&set, number) }
        return set
    }

    private static func mask(_ how: CInt) {
        var set = signals
        pthread_sigmask(how, &set, nil)
    }
}

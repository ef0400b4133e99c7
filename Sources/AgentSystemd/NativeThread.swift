// SPDX-License-Identifier: Apache-2.0

internal import CSystemd
internal import Glibc

/// Threads that may block for as long as they like, because no pool waits for them.
enum NativeThread {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Runs `body` on a thread of its own, which ends with it. It takes none of the signals that the caller blocks.
    ///
    /// - Parameter name: at most 15 bytes, for `ps` and debuggers.
    static func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(
            Body {
                agent_name_thread(name)
                body()
            }
        )
        let code = pthread_create(
            &thread,
            nil,
            { context in
                if let context { Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run() }
                return nil
            },
            context.toOpaque()
        )
        // Threads are started with the process, before anything is accepted: without them it cannot do its work.
        guard code == 0 else { fatalError("No thread can be started: \(String(cString: strerror(code)))") }
        pthread_detach(thread)
    }
}

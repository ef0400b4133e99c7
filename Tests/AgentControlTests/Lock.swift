// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A value behind a lock, as `Mutex`.
///
/// Tests contend for it all the time, and who has to wait for a `Mutex` does so in the standard library's code, where
/// ThreadSanitizer does not see that it is ordered.
// SAFETY: the value is touched only while the lock is held.
final class Lock<Value>: @unchecked Sendable {
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value

    init(_ value: Value) {
        self.value = value
        lock = .allocate(capacity: 1)
        lock.initialize(to: pthread_mutex_t())
        pthread_mutex_init(lock, nil)
    }

    deinit {
        pthread_mutex_destroy(lock)
        lock.deallocate()
    }

    func withLock<R>(_ body: (inout Value) throws -> R) rethrows -> R {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return try body(&value)
    }
}

// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Gives a descriptor back when nobody uses it any more: it must not be closed, and its number given to the next
/// connection, while a Dispatch source still watches it.
final class DescriptorOwner: Sendable {
    let descriptor: Int32
    private let giveBack: @Sendable (Int32) -> Void

    /// - Parameter giveBack: owns the descriptor from then on. Called once, on any thread.
    init(_ descriptor: Int32, giveBack: @escaping @Sendable (Int32) -> Void) {
        self.descriptor = descriptor
        self.giveBack = giveBack
    }

    deinit { giveBack(descriptor) }
}

/// Descriptors that are kept for the moment at which the process may open no more: each makes way for an operator's
/// connection, and comes back when one is closed.
struct DescriptorReserve {
    private static let size = 4
    private var descriptors: [Int32] = []

    init() {
        while descriptors.count < Self.size {
            let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { return }
            descriptors.append(descriptor)
        }
    }

    /// Closes one, so that another may be opened.
    mutating func give() -> Bool {
        guard let descriptor = descriptors.popLast() else { return false }
        close(descriptor)
        return true
    }

    mutating func giveAll() {
        while give() {}
    }

    /// Takes what a connection no longer needs: were it closed first, another part of the process might be quicker.
    mutating func keep(_ descriptor: Int32) {
        if descriptors.count < Self.size { descriptors.append(descriptor) } else { close(descriptor) }
    }
}

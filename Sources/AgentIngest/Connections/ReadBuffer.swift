// SPDX-License-Identifier: Apache-2.0

internal import NIOCore

/// The memory that all connections of an event loop are read into, one after the other.
///
/// Each connection takes what it needs out of it before the next one is read, so a thousand connections need no more
/// of it than one.
///
/// Sendable by confinement: only touched on the event loop.
final class ReadBuffer: @unchecked Sendable {
    static let bytes = 64 << 10

    private var buffer: ByteBuffer?

    func take(_ allocator: ByteBufferAllocator) -> ByteBuffer {
        buffer.take() ?? allocator.buffer(capacity: Self.bytes)
    }

    /// Takes back what ``take(_:)`` gave. Others may refer to it yet, until this read is over.
    func giveBack(_ buffer: ByteBuffer) {
        guard buffer.capacity == Self.bytes else { return }
        self.buffer = buffer
        self.buffer?.moveReaderIndex(to: 0)
        self.buffer?.moveWriterIndex(to: 0)
    }
}

/// Hands out the ``ReadBuffer`` of an event loop.
///
/// A channel keeps the first buffer that it is given for good, so that one is small, and its own. The others it hands
/// on, as long as each might be larger than the one before: so ``record(actualReadBytes:)`` says.
struct ReadBufferAllocator: RecvByteBufferAllocator {
    private static let firstBytes = 4 << 10

    let shared: ReadBuffer
    private var isFirst = true

    init(_ shared: ReadBuffer) { self.shared = shared }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        isFirst ? allocator.buffer(capacity: Self.firstBytes) : shared.take(allocator)
    }

    mutating func record(actualReadBytes: Int) -> Bool {
        isFirst = false
        return true
    }
}

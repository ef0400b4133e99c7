// SPDX-License-Identifier: Apache-2.0

import AgentCore

/// The JSON 1.1 body of a request, in one buffer that is used again for the next.
///
/// The largest size that a body can have is known before it is written, so the writing itself checks no bounds and
/// allocates nothing.
struct RequestBody: ~Copyable {
    private var start: UnsafeMutableRawPointer
    private var capacity: Int
    private(set) var count = 0

    /// A buffer larger than this is given back after its request: a record of 10 MiB is a rare guest.
    private static let keptCapacity = 2 << 20

    init() {
        capacity = 64 << 10
        start = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { start.deallocate() }

    /// Valid until the next call of ``write(_:)`` or ``releaseExcess()``.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

    mutating func write(_ request: OutgoingRequest) {
        reserve(Self.largestCount(request))
        var out = Writer(at: start)
        out.put("{\"StreamName\":\"")
        out.putEscaped(request.destination.stream)
        switch request.operation {
        case .putRecords(let records):
            out.put("\",\"Records\":[")
            var isFirst = true
            for record in records {
                out.put(isFirst ? "{\"Data\":\"" : ",{\"Data\":\"")
                isFirst = false
                out.putMembers(of: record)
                out.put("\"}")
            }
            out.put("]}")
        case .putRecord(let record, let predecessor):
            out.put("\",\"Data\":\"")
            out.putMembers(of: record)
            if !predecessor.isEmpty {
                out.put("\",\"SequenceNumberForOrdering\":\"")
                out.putEscaped(predecessor)
            }
            out.put("\"}")
        }
        count = out.at - start
        precondition(count <= capacity)
    }

    mutating func releaseExcess() {
        if capacity > Self.keptCapacity { resize(to: 64 << 10) }
    }

    private mutating func reserve(_ needed: Int) {
        if needed > capacity { resize(to: (needed + 0xffff) & ~0xffff) }
    }

    private mutating func resize(to size: Int) {
        start.deallocate()
        start = .allocate(byteCount: size, alignment: 16)
        capacity = size
        count = 0
    }

    /// An escaped byte takes at most six, and the fixed parts of a record 57.
    private static func largestCount(_ request: OutgoingRequest) -> Int {
        var sum = 64 + 6 * request.destination.stream.utf8.count
        switch request.operation {
        case .putRecords(let records): for record in records { sum += largestCount(record) }
        case .putRecord(let record, let predecessor): sum += largestCount(record) + 64 + 6 * predecessor.utf8.count
        }
        return sum
    }

    private static func largestCount(_ record: OutgoingRecord) -> Int {
        let keys = record.partitionKey.utf8.count + record.explicitHashKey.utf8.count
        return 64 + Base64.encodedCount(record.data.count) + 6 * keys
    }
}

/// Puts text where there is known to be room for it.
private struct Writer {
    private(set) var at: UnsafeMutableRawPointer

    init(at: UnsafeMutableRawPointer) { self.at = at }

    @inline(__always)
    mutating func put(_ text: StaticString) {
        at.copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
        at += text.utf8CodeUnitCount
    }

    /// A record's members, from within the value of `Data` to within the last one's.
    mutating func putMembers(of record: OutgoingRecord) {
        record.data.withUnsafeBytes { putBase64($0) }
        put("\",\"PartitionKey\":\"")
        putEscaped(record.partitionKey)
        if !record.explicitHashKey.isEmpty {
            put("\",\"ExplicitHashKey\":\"")
            putEscaped(record.explicitHashKey)
        }
    }

    private mutating func putBase64(_ data: UnsafeRawBufferPointer) {
        at += Base64.encode(data, to: at)
    }

    /// `text` as the inside of a JSON string. Only what must be escaped is; the rest stays UTF-8.
    mutating func putEscaped(_ text: String) {
        var text = text
        text.withUTF8 { utf8 in
            guard let source = utf8.baseAddress else { return }
            if utf8.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
                at.copyMemory(from: source, byteCount: utf8.count)
                at += utf8.count
                return
            }
            for byte in utf8 { putEscaped(byte) }
        }
    }

    private mutating func putEscaped(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): put("\\\"")
        case UInt8(ascii: "\\"): put("\\\\")
        case 0..<0x20:
            put("\\u00")
            putHexDigit(byte >> 4)
            putHexDigit(byte & 15)
        default: putByte(byte)
        }
    }

    private mutating func putHexDigit(_ value: UInt8) {
        putByte(value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10)
    }

    private mutating func putByte(_ byte: UInt8) {
        at.storeBytes(of: byte, as: UInt8.self)
        at += 1
    }
}

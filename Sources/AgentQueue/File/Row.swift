// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// What of an event is stored as bytes.
struct Row {
    let key: UnsafeRawBufferPointer
    let hashKey: UnsafeRawBufferPointer
    let data: UnsafeRawBufferPointer

    var quotaBytes: Int64 { Int64(data.count + key.count + hashKey.count) + QueueTotals.eventOverhead }
}

/// What is stored with an event.
struct Stamp {
    let id: EventID
    let destination: DestinationID
    let acceptedMS: Int64
}

/// The column `crc`.
///
/// Version 1 of the file had the CRC-32C of key, hash key and data there, which is below 2³². Version 2 sums up the
/// stamp as well, and sets bit 32, so that rows of both can lie in one table and none has to be written again.
extension Row {
    /// What no row has.
    static let noChecksum: Int64 = -1

    private static let hasStamp: Int64 = 1 << 32

    @inline(__always)
    func checksum(with stamp: Stamp) -> Int64 {
        var crc = sum
        withUnsafeBytes(
            of: (stamp.id.rawValue.littleEndian, stamp.destination.rawValue.littleEndian, stamp.acceptedMS.littleEndian)
        ) {
            crc.update($0)
        }
        return Int64(crc.value) | Self.hasStamp
    }

    /// Without a stamp, as version 1 stored it.
    var checksum: Int64 { Int64(sum.value) }

    private var sum: CRC32C {
        var crc = CRC32C()
        crc.update(key)
        crc.update(hashKey)
        crc.update(data)
        return crc
    }

    /// Whether this is what was stored.
    ///
    /// - Parameter rows: the statement under which the row is, and `column` where its checksum is.
    @inline(__always)
    func isWhole(_ stamp: Stamp, _ rows: borrowing SQLiteStatement, column: Int32) -> Bool {
        let stored = rows.integer(column)
        if stored == checksum(with: stamp) { return true }
        guard stored & Self.hasStamp == 0, stored == checksum else { return false }
        // That of nothing is 0, which is also what NULL reads as: a row of NULLs, as a damaged page may show one, has no
        // checksum.
        return stored != 0 || !rows.isNull(column)
    }
}

// SPDX-License-Identifier: Apache-2.0

/// Limits of Kinesis Data Streams, from its API model (botocore `kinesis/2013-12-02`, read 2026-08-07).
public enum KinesisLimits {
    /// Records in a PutRecords request.
    public static let recordsPerRequest = 500
    /// Data and partition keys of a PutRecords request, in bytes before base64.
    public static let requestBytes = 10 << 20
    /// Data plus partition key of a record, in bytes: the default of a stream, and what a stream can be raised to.
    public static let defaultRecordBytes = 1 << 20
    public static let largestRecordBytes = 10 << 20
    /// Characters, not bytes, of a partition key.
    public static let partitionKeyCharacters = 256
    /// What one shard takes a second: records, and bytes of data and partition keys.
    public static let shardRecordsPerSecond = 1000
    public static let shardBytesPerSecond = 1 << 20
    /// Characters of a stream's name, of `[a-zA-Z0-9_.-]`.
    public static let streamNameCharacters = 128

    /// Whether `name` can be the name of a stream.
    public static func isStreamName(_ name: some StringProtocol) -> Bool {
        let bytes = name.utf8
        guard (1...streamNameCharacters).contains(bytes.count) else { return false }
        return bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }

    /// Whether `text` is `0` or `[1-9][0-9]*` up to 2¹²⁸−1, as ExplicitHashKey wants it.
    public static func isHashKey(_ text: some StringProtocol) -> Bool {
        guard (1...39).contains(text.utf8.count), text == "0" || text.utf8.first != UInt8(ascii: "0") else {
            return false
        }
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return false }
        return UInt128(text) != nil
    }
}

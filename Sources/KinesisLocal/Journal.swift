// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import Glibc

/// What of a record's data a journal line shows.
enum JournalData: String {
    case base64, sha256, none
}

/// One accepted record as a line of JSON.
enum JournalLine {
    static func write(
        _ ordinal: UInt64,
        _ stream: LocalStream,
        _ shard: Int,
        arrivalMS: Int64,
        key: UnsafeRawBufferPointer,
        data: UnsafeRawBufferPointer,
        show: JournalData,
        isAnswered: Bool? = nil,
        into output: inout [UInt8]
    ) {
        var json = JSONText(capacity: 256 + key.count + data.count * 4 / 3)
        json.object {
            $0.member("index", ordinal)
            $0.member("stream", stream.name)
            $0.member("shard", Shard.id(shard))
            $0.member("sequence_number", stream.shards[shard].sequenceNumber(ordinal))
            $0.member("at_ms", arrivalMS)
            $0.name("partition_key")
            $0.value(utf8: key)
            $0.member("bytes", data.count)
            if let isAnswered { $0.member("answered", isAnswered) }
            switch show {
            case .base64:
                $0.name("data")
                $0.value(base64: data)
            case .sha256:
                var hash = SHA256()
                hash.update(bufferPointer: data)
                $0.member("sha256", Authenticator.hex(hash.finalize()))
            case .none: break
            }
        }
        output.append(contentsOf: json.bytes)
        output.append(UInt8(ascii: "\n"))
    }
}

extension StreamStore {
    /// Lines for the records that were accepted, in the order of acceptance over all shards, from an index on.
    /// Records that were let go, and those of deleted streams, are left out.
    func journal(
        from ordinal: UInt64,
        limit: Int,
        stream: String?,
        show: JournalData,
        untold: UntoldRecords
    ) -> [UInt8] {
        let chosen = all.filter { stream == nil || $0.name == stream }
        var found: [(ordinal: UInt64, stream: Int, shard: Int)] = []
        for (s, stream) in chosen.enumerated() {
            for shard in stream.shards {
                var left = limit
                shard.log.forEach(from: ordinal) { record in
                    found.append((record.ordinal, s, shard.index))
                    left -= 1
                    return left > 0
                }
            }
        }
        found.sort { $0.ordinal < $1.ordinal }
        var lines: [UInt8] = []
        for entry in found.prefix(limit) {
            let stream = chosen[entry.stream]
            stream.shards[entry.shard].log.forEach(from: entry.ordinal) { record in
                JournalLine.write(
                    record.ordinal,
                    stream,
                    entry.shard,
                    arrivalMS: record.arrivalMS,
                    key: record.key,
                    data: record.data,
                    show: show,
                    isAnswered: !untold.contains(record.ordinal),
                    into: &lines
                )
                return false
            }
        }
        return lines
    }
}

/// A file that every accepted record is appended to, written before the request is answered. It outlives a killed
/// server, not a power cut.
final class JournalFile {
    private let descriptor: Int32
    private let path: String
    private var pending: [UInt8] = []

    /// Opens the file, and makes it if need be.
    init(path: String) throws(KinesisLocalError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        if descriptor < 0 { throw .journal(path: path, errno: errno) }
    }

    deinit { close(descriptor) }

    func add(
        _ ordinal: UInt64,
        _ stream: LocalStream,
        _ shard: Int,
        key: UnsafeRawBufferPointer,
        data: UnsafeRawBufferPointer,
        now: Moment
    ) {
        JournalLine.write(
            ordinal,
            stream,
            shard,
            arrivalMS: now.wallMS,
            key: key,
            data: data,
            show: .base64,
            into: &pending
        )
    }

    /// Writes what was added.
    ///
    /// - Returns: what went wrong; `nil`: nothing.
    func flush() -> String? {
        defer { pending.removeAll(keepingCapacity: true) }
        var written = 0
        while written < pending.count {
            let count = pending.withUnsafeBytes {
                write(descriptor, $0.baseAddress.map { $0 + written }, $0.count - written)
            }
            if count < 0 {
                if errno == EINTR { continue }
                return KinesisLocalError.journal(path: path, errno: errno).description
            }
            written += count
        }
        return nil
    }
}

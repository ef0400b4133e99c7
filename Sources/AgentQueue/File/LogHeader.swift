// SPDX-License-Identifier: Apache-2.0

/// The first bytes of a WAL, without which SQLite takes it for an empty one, and says nothing.
///
/// They are synced before any frame is written, so a power cut leaves them whole wherever there are frames that count.
/// Of damage further on, SQLite keeps what is before it: that looks like what a power cut leaves.
/// Format: <https://sqlite.org/fileformat2.html#the_write_ahead_log>.
enum LogHeader {
    private static let bytes = 32

    /// - Parameter path: of a WAL that no connection of this process has open.
    static func isDamaged(_ path: String) -> Bool {
        // Without a frame there is nothing to lose.
        guard let identity = FileIdentity(path), identity.size > bytes,
            let header = readHead(of: path, count: bytes), header.count == bytes
        else { return false }
        let words = (0..<8).map { word in header[word * 4..<word * 4 + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } }
        // The last bit says in which order the words are summed up.
        guard words[0] & ~1 == 0x377f_0682 else { return true }
        var sums: (UInt32, UInt32) = (0, 0)
        for pair in stride(from: 0, to: 6, by: 2) {
            let (low, high) =
                words[0] & 1 == 1
                ? (words[pair], words[pair + 1]) : (words[pair].byteSwapped, words[pair + 1].byteSwapped)
            sums.0 &+= low &+ sums.1
            sums.1 &+= high &+ sums.0
        }
        return sums != (words[6], words[7])
    }
}

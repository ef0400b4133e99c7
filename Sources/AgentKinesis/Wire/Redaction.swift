// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// Makes of a text that somebody else wrote one that may be stored and shown.
///
/// Services and proxies echo what they were sent: a signature that does not match comes back with the canonical request,
/// session token included, and a body that is not liked with the body. So whatever of the text is a part of our secrets
/// or of the records' data is left out, in whatever surroundings it stands.
struct Redaction {
    /// A message's bytes, at most.
    static let longestMessage = 600

    /// So many bytes in a row are no coincidence.
    private static let shortestSecret = 8
    private static let shortestData = 16

    /// All pieces of eight bytes of the secrets.
    private let secretPieces: Set<UInt64>

    init(secrets: [String]) {
        var pieces: Set<UInt64> = []
        for secret in secrets { Self.forEachPiece(of: Array(secret.utf8)) { piece, _ in pieces.insert(piece) } }
        secretPieces = pieces
    }

    /// - Parameter data: Called once, and calls back for each piece of what else is not to be shown: the records' data, in
    ///   each form that was sent.
    func clean(_ message: String, data: (_ visit: (UnsafeRawBufferPointer) -> Void) -> Void = { _ in }) -> String {
        let text = Array(Self.withoutCanonicalRequest(message).utf8.prefix(2 * Self.longestMessage))
        var hidden = [Bool](repeating: false, count: text.count)
        hide(in: text, &hidden, atLeast: Self.shortestSecret) { secretPieces.contains($0) }
        if text.count >= Self.shortestData {
            let found = Self.pieces(of: text, foundIn: data)
            hide(in: text, &hidden, atLeast: Self.shortestData) { found.contains($0) }
        }
        var shown: [UInt8] = []
        for i in text.indices {
            if !hidden[i] {
                shown.append(text[i])
            } else if i == 0 || !hidden[i - 1] {
                shown += "[left out]".utf8
            }
        }
        return Self.printable(String(decoding: shown, as: UTF8.self))
    }

    /// Marks the runs of pieces that are `known`.
    private func hide(in text: [UInt8], _ hidden: inout [Bool], atLeast shortest: Int, _ known: (UInt64) -> Bool) {
        var run: Range<Int>?
        func close() {
            if let run, run.count >= shortest { for i in run { hidden[i] = true } }
        }
        Self.forEachPiece(of: text) { piece, at in
            guard known(piece) else { return }
            if let open = run, at <= open.upperBound {
                run = open.lowerBound..<at + 8
            } else {
                close()
                run = at..<at + 8
            }
        }
        close()
    }

    /// Those of the text's pieces that are somewhere in the data. One pass over the data, and a table of bits that most
    /// of its pieces do not pass.
    private static func pieces(of text: [UInt8], foundIn data: (_ visit: (UnsafeRawBufferPointer) -> Void) -> Void)
        -> Set<UInt64>
    {
        var wanted: Set<UInt64> = []
        var filter = [Bool](repeating: false, count: 1 << 14)
        forEachPiece(of: text) { piece, _ in
            wanted.insert(piece)
            filter[slot(piece)] = true
        }
        var found: Set<UInt64> = []
        data { bytes in
            guard bytes.count >= 8 else { return }
            for i in 0...bytes.count - 8 {
                let piece = bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self)
                if filter[slot(piece)], wanted.contains(piece) { found.insert(piece) }
            }
        }
        return found
    }

    @inline(__always)
    private static func slot(_ piece: UInt64) -> Int { Int(truncatingIfNeeded: (piece &* 0x9e37_79b9_7f4a_7c15) >> 50) }

    private static func forEachPiece(of text: [UInt8], _ body: (_ piece: UInt64, _ at: Int) -> Void) {
        guard text.count >= 8 else { return }
        text.withUnsafeBytes { bytes in
            for i in 0...bytes.count - 8 { body(bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self), i) }
        }
    }

    /// Without what Kinesis appends to a signature that does not match: the request as it should have been signed.
    private static func withoutCanonicalRequest(_ message: String) -> Substring {
        var kept = message[...]
        for mark in ["The Canonical String", "The String-to-Sign", "AWS4-HMAC-SHA256"] {
            if let range = kept.firstRange(of: mark) { kept = kept[..<range.lowerBound] }
        }
        return kept
    }

    /// On one line, without characters that move the cursor or turn text around, and cut at the end of a character.
    private static func printable(_ text: String) -> String {
        var shown = ""
        var isSpace = true
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .surrogate:
                if !isSpace { shown += " " }
                isSpace = true
            default:
                shown.unicodeScalars.append(scalar)
                isSpace = false
            }
            if shown.utf8.count > longestMessage { return shown + "…" }
        }
        if isSpace, !shown.isEmpty { shown.removeLast() }
        return shown
    }
}

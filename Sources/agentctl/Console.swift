// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import Glibc

/// stdout for data, stderr for words. Nothing that a terminal would act on leaves here but line ends, and the colours
/// of lines that are ``Styled``.
enum Console {
    static func print(_ text: String) { write(safe(text) + "\n", to: STDOUT_FILENO) }

    static func print(_ lines: [Styled]) { write(lines.map { $0.text + "\n" }.joined(), to: STDOUT_FILENO) }

    static func say(_ words: String) { write(safe(words) + "\n", to: STDERR_FILENO) }

    /// Each line by itself.
    private static func safe(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { SafeText.line($0) }.joined(separator: "\n")
    }

    static func write(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { bytes in
            var written = 0
            while written < bytes.count {
                let count = Glibc.write(descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written)
                if count < 0, errno == EINTR { continue }
                // Nobody reads any more: there is nobody to tell.
                guard count > 0 else { exit(1) }
                written += count
            }
        }
    }

    /// All of stdin.
    static func readAll() -> [UInt8] {
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(STDIN_FILENO, &block, block.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return bytes }
            bytes += block[..<count]
        }
    }
}

/// What stdout can show.
struct Terminal {
    /// `Int.max` where stdout is no terminal and $COLUMNS is not set.
    let width: Int
    /// In lines; `Int.max` where stdout is no terminal.
    let height: Int
    let hasColours: Bool
    let isTerminal: Bool

    static func ofStdout() -> Terminal {
        let isTerminal = isatty(STDOUT_FILENO) == 1
        var size = winsize()
        if !isTerminal || ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) != 0 { size = winsize() }
        let measured = Int(size.ws_col)
        let height = size.ws_row > 0 ? Int(size.ws_row) : Int.max
        let given = getenv("COLUMNS").flatMap { Int(String(cString: $0)) } ?? 0
        let width = measured > 0 ? measured : given > 0 ? given : isTerminal ? 80 : Int.max
        // https://no-color.org: set, and not empty.
        let noColour = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
        let isDumb = getenv("TERM").map { String(cString: $0) == "dumb" } ?? true
        return Terminal(
            width: width,
            height: height,
            hasColours: isTerminal && !noColour && !isDumb,
            isTerminal: isTerminal
        )
    }

    enum Colour: Int {
        case red = 31
        case green = 32
        case yellow = 33
        case cyan = 36
        case dim = 2
        case bold = 1
    }

    func coloured(_ text: String, _ colour: Colour?) -> String {
        guard let colour, hasColours else { return text }
        return "\u{1b}[\(colour.rawValue)m\(text)\u{1b}[0m"
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import AgentSystemd

/// What is said to those who start the program.
public enum Console {
    /// How long a reader of stderr may keep the end of the program waiting.
    static let patience = Duration.seconds(1)

    /// Writes each line of `words` to stderr, with the priority of an error where that is the journal. Waits a second at
    /// most for it to be read. What would disturb a terminal is shown as `\u{…}`.
    public static func say(_ words: String) {
        for line in words.split(separator: "\n", omittingEmptySubsequences: false) {
            LogBuffer.stderr.append(LogOutput.stderr.plainLine(.error, LogText.escaped(String(line))))
        }
        LogBuffer.stderr.flush(within: patience)
    }
}

// SPDX-License-Identifier: Apache-2.0

extension Settings {
    /// The text of agent.conf.example: every key with its meaning and its default, commented out.
    public static var example: String {
        var lines = wrapped(
            """
            The configuration of agentd. Everything here is optional: each line that is commented out shows the \
            default. Sizes are "64 KiB" (B, KiB, MiB, GiB, TiB) or bytes, durations "50ms" (ms, s, m, h, d). A key \
            that is unknown, of the wrong type or out of range is refused with its line, and all of them at once: \
            try agentd --check-config --config FILE.
            """
        )
        let defaults = Settings()
        for section in sections {
            lines += ["", "[\(section.name)]"]
            for setting in section.settings { lines += entry(setting, value: section.text(setting, defaults)) }
        }
        lines += [""]
        lines += wrapped("Each stream that takes events has a table of its own:")
        lines += ["#[[stream]]"]
        var clicks = Stream()
        clicks.name = "clicks"
        for setting in StreamKeys.list.all { lines += entry(setting, value: setting.text(in: clicks)) }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func entry(_ setting: any AnySetting, value: String) -> [String] {
        [""] + wrapped(setting.about) + wrapped("If moved: \(setting.risk)") + wrapped("Takes \(setting.form).")
            + ["#\(setting.name) = \(value)"]
    }

    /// `text` as comment lines of at most 90 characters.
    private static func wrapped(_ text: String) -> [String] {
        var lines: [String] = []
        var line = "#"
        for word in text.split(separator: " ") {
            if line.count + 1 + word.count > 90 {
                lines.append(line)
                line = "#"
            }
            line += " " + word
        }
        return lines + [line]
    }
}

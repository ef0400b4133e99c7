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
        for section in SettingKey<Settings>.sections {
            lines += ["", "[\(section)]"]
            for key in SettingKey.all where key.name.hasPrefix("\(section).") {
                lines += entry(key, name: key.name.dropFirst(section.count + 1), value: key.write(defaults))
            }
        }
        lines += [""]
        lines += wrapped("Each stream that takes events has a table of its own:")
        lines += ["#[[stream]]"]
        var clicks = Stream()
        clicks.name = "clicks"
        for key in SettingKey.ofStream { lines += entry(key, name: key.name[...], value: key.write(clicks)) }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func entry<Root>(_ key: SettingKey<Root>, name: Substring, value: String) -> [String] {
        [""] + wrapped(key.about) + wrapped("If moved: \(key.risk)") + wrapped("Takes \(key.form).")
            + ["#\(name) = \(value)"]
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

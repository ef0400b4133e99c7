// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import AgentRuntime

@Suite struct SettingsPlaceTests {
    /// Every way of writing a key leads to its place.
    @Test(arguments: [
        ("queue.bad = 1", "agent.conf:1:1"),
        ("queue = { path = '/a', bad = 1 }", "agent.conf:1:24"),
        ("[queue]\r\n\r\n  \"bad\" = 1\r\n", "agent.conf:3:3"),
        ("# [queue] bad\n[ queue ] # bad = 2\n\tbad = 1", "agent.conf:3:2"),
        ("aws.profile = \"\"\"\n[queue]\nbad=2\"\"\"\n[queue]\nbad = 1", "agent.conf:5:1"),
        ("aws.profile = 'é#[x]' # ü\nqueue.bad = 1", "agent.conf:2:1"),
        ("listen.allowed_hosts = [ 'a', # ]\n 'b]',\n]\nqueue.bad = 1", "agent.conf:4:1"),
        ("aws.profile = \"a\\\"b=[\"\nqueue.bad = 1", "agent.conf:2:1"),
        ("\n[queue]\n\"b\\u0061d\" = 1", "agent.conf:3:1"),
        ("\nqueue.\"bad\\U0000001b\\t\" = 1", "agent.conf:2:1"),
        ("log.level = 'info'\n[[stream]]\nname='a'\n[[stream]]\nname='b'\nbad = 1", "agent.conf:6:1"),
        ("stream = [ {name='a'}, {name='b', bad=1} ]", "agent.conf:1:35"),
    ])
    func keysAreFoundHoweverTheyAreWritten(text: String, place: String) {
        let found = faults(text).filter { $0.contains("bad") }
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix(place + ": ") == true, "\(faults(text))")
    }

    @Test func textThatIsCutAnywhereNeverStopsTheFinder() {
        let text =
            "a = { b = [1, '''x''', \"\"\"y\"\"\"], c.\"d\" = 'e' }\n[[f]]\n[f.g] # h\ni = 1979-05-27T07:32:00Z\n"
        for end in text.indices {
            var finder = PlaceFinder(String(text[..<end]))
            _ = finder.find()
        }
    }
}

@Suite struct NearestNameTests {
    @Test(arguments: [("clikcs", "clicks"), ("order", "orders"), ("views2", "views")])
    func isTheOneWithTheFewestEdits(written: String, meant: String) {
        #expect(nearestName(to: written, among: ["clicks", "orders", "views"]) == meant)
    }

    @Test func thereIsNoneAmongNone() {
        #expect(nearestName(to: "a", among: []) == nil)
    }
}

@Suite struct SettingUnitsTests {
    @Test(arguments: [
        ("0", 0), ("12", 12), ("1B", 1), ("64 KiB", 65536), ("64KiB", 65536), ("2 GiB", 2 << 30), ("1 TiB", 1 << 40),
    ])
    func sizes(text: String, bytes: Int) {
        #expect(SettingUnits.size(text) == bytes)
    }

    @Test(arguments: ["", "KiB", "1 kib", "1  KiB", "-1", "1.5 KiB", " 1", "1 KiB ", "99999999999999999999"])
    func notSizes(text: String) {
        #expect(SettingUnits.size(text) == nil)
    }

    @Test func durations() {
        #expect(SettingUnits.duration("50ms") == .milliseconds(50))
        #expect(SettingUnits.duration("2m") == .seconds(120))
        #expect(SettingUnits.duration("7d") == .seconds(604_800))
        #expect(SettingUnits.duration("5") == nil)
        #expect(SettingUnits.duration("9223372036854775807d") == nil)
    }

    @Test(arguments: [0, 1, 1023, 1024, 3 << 20, 4 << 30, 1 << 40])
    func sizesAreWrittenAsTheyAreRead(bytes: Int) {
        #expect(SettingUnits.size(SettingUnits.text(size: bytes)) == bytes)
    }
}

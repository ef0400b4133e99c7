// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// Turns a document into settings, collecting every fault on the way.
struct SettingsReader {
    private let file: String
    private let document: SettingsDocument
    private var settings = Settings()
    private var faults: [Found] = []

    /// A fault whose words are made once it is known to be among those told.
    private struct Found {
        let place: SettingPlace?
        let message: () -> String
    }

    static func read(_ text: String, file: String) throws(SettingsFaults) -> Settings {
        let document: SettingsDocument
        do {
            document = try SettingsDocument(text)
        } catch {
            throw SettingsFaults(faults: [SettingsFault(file: file, place: error.place, message: error.message)])
        }
        var reader = SettingsReader(file: file, document: document)
        reader.readAll()
        reader.checkTogether()
        if reader.faults.isEmpty { return reader.settings }
        throw reader.told()
    }

    /// The first faults of the file.
    private func told() -> SettingsFaults {
        let sorted = faults.enumerated().sorted { a, b in
            (a.element.place ?? .start, a.offset) < (b.element.place ?? .start, b.offset)
        }
        let told = sorted.prefix(SettingsFaults.mostTold).map { _, fault in
            SettingsFault(file: file, place: fault.place, message: fault.message())
        }
        return SettingsFaults(faults: told, untold: faults.count - told.count)
    }

    private init(file: String, document: SettingsDocument) {
        self.file = file
        self.document = document
    }

    private mutating func fault(_ path: String, _ message: @autoclosure @escaping () -> String) {
        faults.append(Found(place: document.places[path], message: message))
    }

    /// A name of the file, as far as anybody would read it.
    private static func shown(_ name: String) -> String {
        name.utf8.count <= 80 ? name : String(decoding: name.utf8.prefix(80), as: UTF8.self) + "…"
    }

    // MARK: Key by key

    private mutating func readAll() {
        for (name, value) in document.values {
            if name == "stream" {
                readStreams(value)
            } else if let section = Settings.sections.first(where: { $0.name == name }) {
                readSection(section, value)
            } else if PlannedSettings.sections.contains(name) {
                fault(name, "\(name) is not available yet")
            } else if let key = SettingsSection.keys.first(where: { $0.hasSuffix(".\(name)") }) {
                fault(name, "\(name) stands outside of its section; did you mean \(key)?")
            } else {
                fault(name, Self.unknownSection(name))
            }
        }
        resolveRegions()
    }

    private static func unknownSection(_ name: String) -> String {
        guard let nearest = nearestName(to: name, among: Settings.sections.map(\.name) + ["stream"]) else {
            return "\(shown(name)) is not a section"
        }
        return "\(shown(name)) is not a section; did you mean \(nearest == "stream" ? "[[stream]]" : "[\(nearest)]")?"
    }

    private mutating func readSection(_ section: SettingsSection, _ value: SettingValue) {
        let table = section.name
        if table == StreamsKeys.list.section, case .list = value {
            return fault(table, "streams is a section with settings; a stream is written [[stream]]")
        }
        guard case .table(let entries) = value else {
            return fault(table, "\(table) must be a section, written [\(table)], not \(value.typeName)")
        }
        for (name, value) in entries {
            let full = "\(table).\(name)"
            guard let setting = section.setting(name) else {
                unknown(full, at: full, planned: PlannedSettings.keys, among: SettingsSection.keys)
                continue
            }
            do {
                try section.read(value, setting, &settings)
            } catch let refusal {
                fault(full, "\(full) \(refusal.reason)")
            }
        }
    }

    private mutating func readStreams(_ value: SettingValue) {
        guard case .list(let elements) = value else {
            return fault("stream", "stream must be written [[stream]], once for each stream, not \(value.typeName)")
        }
        for (index, element) in elements.enumerated() {
            let path = "stream[\(index)]"
            guard case .table(let entries) = element else {
                fault(path, "stream must be written [[stream]], once for each stream")
                continue
            }
            var stream = Settings.Stream()
            for (name, value) in entries {
                guard let setting = StreamKeys.list[name] else {
                    unknown(
                        "stream.\(name)",
                        at: "\(path).\(name)",
                        planned: PlannedSettings.keys,
                        among: StreamKeys.list.all.map { "stream.\($0.name)" }
                    )
                    continue
                }
                do {
                    try setting.read(value, into: &stream)
                } catch let refusal {
                    fault("\(path).\(name)", "stream.\(name) \(refusal.reason)")
                }
            }
            for setting in StreamKeys.list.all where setting.isRequired && entries[setting.name] == nil {
                fault(path, "stream.\(setting.name) is missing; it must be \(setting.form)")
            }
            settings.stream.append(stream)
        }
    }

    private mutating func unknown(
        _ name: String,
        at path: String,
        planned: Set<String>,
        among known: @autoclosure @escaping () -> [String]
    ) {
        if planned.contains(name) { return fault(path, "\(name) is not available yet") }
        fault(path, "\(Self.shown(name)) is not a key\(Self.hint(nearestName(to: name, among: known())))")
    }

    private static func hint(_ meant: String?) -> String { meant.map { "; did you mean \($0)?" } ?? "" }

    // MARK: Key against key

    private mutating func resolveRegions() {
        for index in settings.stream.indices where settings.stream[index].region.isEmpty {
            settings.stream[index].region = settings.aws.region
        }
    }

    private mutating func checkTogether() {
        checkStreams()
        checkRegions()
        checkSizes()
        let listen = settings.listen
        if !listen.socket.isEmpty, listen.socket == listen.controlSocket {
            fault("listen.control_socket", "listen.control_socket must be another path than listen.socket")
        }
        if listen.http == nil, listen.socket.isEmpty {
            fault("listen.socket", "listen.http and listen.socket cannot both be off: no event could come in")
        }
    }

    private mutating func checkStreams() {
        var places: [Destination: SettingPlace] = [:]
        for (index, stream) in settings.stream.enumerated() where !stream.name.isEmpty {
            let destination = Destination(region: stream.region, stream: stream.name)
            let path = "stream[\(index)].name"
            if let first = places[destination] {
                fault(path, "stream \(destination) is in the file twice; it is first named in line \(first.line)")
            } else {
                places[destination] = document.places[path] ?? .start
            }
        }
        guard let named = settings.streams.default, settings.streams.accept == .listed else { return }
        let full = named.destination(in: settings.aws.region).description
        let names = places.keys.map(\.description)
        guard !names.contains(full) else { return }
        fault(
            "streams.default",
            "streams.default is \(full), which no [[stream]] lists\(Self.hint(NameIndex(names).nearest(to: full)))"
        )
    }

    /// A region that AWS does not have, as far as this version knows, needs an endpoint to go to.
    private mutating func checkRegions() {
        guard settings.aws.endpoint.isEmpty else { return }
        var named: [String: String] = [:]
        if settings.streams.accept == .any || settings.stream.isEmpty { named["aws.region"] = settings.aws.region }
        for (index, stream) in settings.stream.enumerated() where stream.endpoint.isEmpty {
            let path = "stream[\(index)].region"
            named[document.places[path] == nil ? "aws.region" : path] = stream.region
        }
        for (path, region) in named where !Region.isKnown(region) {
            let nearest = nearestName(to: region, among: Region.known) ?? "us-east-1"
            fault(
                path,
                "\(path.hasPrefix("stream") ? "stream.region" : path) is \(region), which AWS has not; did you mean"
                    + " \(nearest)? A newer region needs an endpoint"
            )
        }
    }

    private mutating func checkSizes() {
        let (queue, listen) = (settings.queue, settings.listen)
        atMost("listen.max_event_bytes", listen.maxEventBytes, "listen.max_request_bytes", listen.maxRequestBytes)
        atMost("listen.max_request_bytes", listen.maxRequestBytes, "listen.memory", listen.memory)
        atMost("listen.max_request_bytes", listen.maxRequestBytes, "queue.max_bytes", queue.maxBytes)
        atMost("delivery.max_batch_bytes", settings.delivery.maxBatchBytes, "delivery.memory", settings.delivery.memory)
        for (index, stream) in settings.stream.enumerated() {
            atMost("stream.max_bytes", at: "stream[\(index)]", stream.maxBytes, "queue.max_bytes", queue.maxBytes)
        }
    }

    /// Of two sizes that contradict each other, the fault stands at one that the file gives.
    private mutating func atMost(_ name: String, at table: String? = nil, _ size: Int, _ bound: String, _ limit: Int) {
        guard size > limit else { return }
        let path = table.map { "\($0).\(name.drop { $0 != "." }.dropFirst())" } ?? name
        fault(
            document.places[path] == nil ? bound : path,
            "\(name) (\(SettingUnits.text(size: size))) must be at most \(bound) (\(SettingUnits.text(size: limit)))"
        )
    }
}

extension SettingPlace {
    fileprivate static let start = SettingPlace(line: 1, column: 1)
}

// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// Turns a document into settings, collecting every fault on the way.
struct SettingsReader {
    private let file: String
    private let document: SettingsDocument
    private var settings = Settings()
    private var faults: [SettingsFault] = []

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
        throw SettingsFaults(
            faults: reader.faults.sorted { ($0.place ?? .start, $0.message) < ($1.place ?? .start, $1.message) }
        )
    }

    private init(file: String, document: SettingsDocument) {
        self.file = file
        self.document = document
    }

    private mutating func fault(_ path: String, _ message: String) {
        faults.append(SettingsFault(file: file, place: document.places[path], message: message))
    }

    // MARK: Key by key

    private mutating func readAll() {
        for (name, value) in document.values {
            if name == "stream" {
                readStreams(value)
            } else if SettingKey.sections.contains(name) {
                readSection(name, value)
            } else if PlannedSettings.sections.contains(name) {
                fault(name, "\(name) is not available yet")
            } else if let key = SettingKey.all.first(where: { $0.name.hasSuffix(".\(name)") }) {
                fault(name, "\(name) stands outside of its section; did you mean \(key.name)?")
            } else {
                let nearest = nearestName(to: name, among: SettingKey.sections + ["stream"]) ?? "stream"
                let hint = nearest == "stream" ? "[[stream]]" : "[\(nearest)]"
                fault(name, "\(name) is not a section; did you mean \(hint)?")
            }
        }
        resolveRegions()
    }

    private mutating func readSection(_ section: String, _ value: SettingValue) {
        guard case .table(let entries) = value else {
            return fault(section, "\(section) must be a section, written [\(section)], not \(value.typeName)")
        }
        for (name, value) in entries {
            let full = "\(section).\(name)"
            guard let key = SettingKey.all.first(where: { $0.name == full }) else {
                unknown(full, at: full, planned: PlannedSettings.keys, among: SettingKey.all.map(\.name))
                continue
            }
            do {
                try key.read(value, &settings)
            } catch {
                fault(full, "\(full) \(error.reason)")
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
                guard let key = SettingKey.ofStream.first(where: { $0.name == name }) else {
                    unknown(
                        "stream.\(name)",
                        at: "\(path).\(name)",
                        planned: PlannedSettings.keys,
                        among: SettingKey.ofStream.map { "stream.\($0.name)" }
                    )
                    continue
                }
                do {
                    try key.read(value, &stream)
                } catch {
                    fault("\(path).\(name)", "stream.\(name) \(error.reason)")
                }
            }
            for key in SettingKey.ofStream where key.required && entries[key.name] == nil {
                fault(path, "stream.\(key.name) is missing; it must be \(key.form)")
            }
            settings.stream.append(stream)
        }
    }

    private mutating func unknown(_ name: String, at path: String, planned: Set<String>, among known: [String]) {
        if planned.contains(name) { return fault(path, "\(name) is not available yet") }
        let hint = nearestName(to: name, among: known).map { "; did you mean \($0)?" } ?? ""
        fault(path, "\(name) is not a key\(hint)")
    }

    // MARK: Key against key

    private mutating func resolveRegions() {
        for index in settings.stream.indices where settings.stream[index].region.isEmpty {
            settings.stream[index].region = settings.aws.region
        }
    }

    private mutating func checkTogether() {
        checkStreams()
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
        let named = settings.streams.default
        guard !named.isEmpty, settings.streams.accept == .listed else { return }
        let full = named.contains("@") ? named : "\(named)@\(settings.aws.region)"
        if !places.keys.contains(where: { $0.description == full }) {
            let hint = nearestName(to: full, among: places.keys.map(\.description).sorted())
            fault(
                "streams.default",
                "streams.default is \(full), which no [[stream]] lists" + (hint.map { "; did you mean \($0)?" } ?? "")
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

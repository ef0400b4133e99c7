// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
internal import AgentCore

/// An event on a line of its own, as `export` writes it and `import` reads it.
struct ExportedEvent: Codable {
    let stream: String
    let region: String
    let event: EventReport

    private enum Key: String, CodingKey { case stream, region }

    init(stream: String, region: String, event: EventReport) {
        self.stream = stream
        self.region = region
        self.event = event
    }

    func encode(to encoder: any Encoder) throws {
        try event.encode(to: encoder)
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(stream, forKey: .stream)
        try container.encode(region, forKey: .region)
    }

    init(from decoder: any Decoder) throws {
        event = try EventReport(from: decoder)
        let container = try decoder.container(keyedBy: Key.self)
        stream = try container.decode(String.self, forKey: .stream)
        region = try container.decode(String.self, forKey: .region)
    }
}

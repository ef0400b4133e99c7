// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import FoundationEssentials

// Payloads are text in `data` where they are UTF-8, else base64 in `data_base64`; never both.

private enum Key: String, CodingKey {
    case id, stream, region, code, reason
    case partitionKey, explicitHashKey, ageSeconds, deadSeconds, bytes, data, dataBase64
}

extension EventReport: Codable {
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(id, forKey: .id)
        try container.encode(key.isNone ? nil : key.partitionKey, forKey: .partitionKey)
        try container.encode(key.explicitHashKey.isEmpty ? nil : key.explicitHashKey, forKey: .explicitHashKey)
        try container.encode(ageSeconds, forKey: .ageSeconds)
        try container.encode(data.count, forKey: .bytes)
        if let text = data.text {
            try container.encode(text, forKey: .data)
        } else {
            try container.encode(base64(data), forKey: .dataBase64)
        }
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        id = try container.decode(Int64.self, forKey: .id)
        key = EventKey(
            partitionKey: try container.decodeIfPresent(String.self, forKey: .partitionKey) ?? "",
            explicitHashKey: try container.decodeIfPresent(String.self, forKey: .explicitHashKey) ?? ""
        )
        ageSeconds = try container.decode(Double.self, forKey: .ageSeconds)
        if let text = try container.decodeIfPresent(String.self, forKey: .data) {
            data = Payload(text)
        } else {
            data = try payload(base64: try container.decode(String.self, forKey: .dataBase64), decoder)
        }
    }
}

extension DeadLetterReport: Codable {
    public func encode(to encoder: any Encoder) throws {
        try event.encode(to: encoder)
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(stream, forKey: .stream)
        try container.encode(region, forKey: .region)
        try container.encode(code, forKey: .code)
        try container.encode(reason, forKey: .reason)
        try container.encode(deadSeconds, forKey: .deadSeconds)
    }

    public init(from decoder: any Decoder) throws {
        event = try EventReport(from: decoder)
        let container = try decoder.container(keyedBy: Key.self)
        stream = try container.decode(String.self, forKey: .stream)
        region = try container.decode(String.self, forKey: .region)
        code = try container.decode(String.self, forKey: .code)
        reason = try container.decode(String.self, forKey: .reason)
        deadSeconds = try container.decode(Double.self, forKey: .deadSeconds)
    }
}

func base64(_ payload: Payload) -> String {
    payload.withUnsafeBytes { Data($0) }.base64EncodedString()
}

private func payload(base64: String, _ decoder: any Decoder) throws -> Payload {
    guard let data = Data(base64Encoded: base64) else {
        throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "not base64"))
    }
    return Payload([UInt8](data))
}

// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// Writes an answer in one of the two forms that SDKs read. What is begun is ended by who began it.
protocol AmazonWriter {
    init(capacity: Int)

    var bytes: [UInt8] { get }

    mutating func beginObject()
    mutating func endObject()
    mutating func beginList()
    mutating func endList()
    /// Of a member; its value follows.
    mutating func name(_ name: StaticString)
    mutating func text(_ text: String)
    /// Plain ASCII that needs no escapes.
    mutating func word(_ word: StaticString)
    /// A number that is not negative, as text.
    mutating func digits(_ number: Int64)
    mutating func number(_ number: Int64)
    mutating func boolean(_ value: Bool)
    /// - Parameter milliseconds: since 1970.
    mutating func time(milliseconds: Int64)
}

extension AmazonWriter {
    mutating func member(_ name: StaticString, _ text: String) {
        self.name(name)
        self.text(text)
    }

    mutating func member(_ name: StaticString, _ number: Int64) {
        self.name(name)
        self.number(number)
    }

    mutating func member(_ name: StaticString, _ value: Bool) {
        self.name(name)
        self.boolean(value)
    }
}

struct AmazonJSONWriter: AmazonWriter {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func begin(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func end(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    mutating func beginObject() { begin(UInt8(ascii: "{")) }
    mutating func endObject() { end(UInt8(ascii: "}")) }
    mutating func beginList() { begin(UInt8(ascii: "[")) }
    mutating func endList() { end(UInt8(ascii: "]")) }

    mutating func name(_ name: StaticString) {
        word(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func text(_ text: String) {
        separate()
        JSONString.append(text, to: &bytes)
    }

    mutating func word(_ word: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
        bytes.append(UInt8(ascii: "\""))
    }

    mutating func digits(_ number: Int64) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: String(number).utf8)
        bytes.append(UInt8(ascii: "\""))
    }

    mutating func number(_ number: Int64) {
        separate()
        bytes.append(contentsOf: String(number).utf8)
    }

    mutating func boolean(_ value: Bool) {
        separate()
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    /// Seconds.
    mutating func time(milliseconds: Int64) { number(milliseconds / 1000) }
}

/// Containers are of indefinite length, as in the service's own answers.
struct AmazonCBORWriter: AmazonWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    private mutating func head(_ major: CBOR.Major, _ argument: UInt64) {
        let first = major.rawValue << 5
        switch argument {
        case ..<24: bytes.append(first | UInt8(argument))
        case ...0xff: bytes += [first | 24, UInt8(argument)]
        case ...0xffff: bytes += [first | 25, UInt8(argument >> 8), UInt8(argument & 0xff)]
        default:
            bytes.append(first | 27)
            for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(argument >> UInt64(shift) & 0xff)) }
        }
    }

    mutating func beginObject() { bytes.append(0xbf) }
    mutating func endObject() { bytes.append(CBOR.breakByte) }
    mutating func beginList() { bytes.append(0x9f) }
    mutating func endList() { bytes.append(CBOR.breakByte) }

    mutating func name(_ name: StaticString) { word(name) }

    mutating func text(_ text: String) {
        head(.text, UInt64(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    mutating func word(_ word: StaticString) {
        head(.text, UInt64(word.utf8CodeUnitCount))
        bytes.append(contentsOf: UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }

    mutating func digits(_ number: Int64) { text(String(number)) }

    mutating func number(_ number: Int64) {
        if number >= 0 { head(.unsigned, UInt64(number)) } else { head(.negative, UInt64(-1 - number)) }
    }

    mutating func boolean(_ value: Bool) { bytes.append(value ? 0xf5 : 0xf4) }

    /// Milliseconds, under the tag for times: so the SDKs read it, whatever the tag's own unit is.
    mutating func time(milliseconds: Int64) {
        head(.tag, 1)
        number(milliseconds)
    }
}

// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// A form in which the Kinesis API is spoken.
protocol AmazonWire: SendableMetatype {
    associatedtype View: AmazonView
    associatedtype Writer: AmazonWriter

    static var contentType: StaticString { get }

    /// Whether a request of that content type is in this form.
    static func speaks(_ contentType: UnsafeRawBufferPointer) -> Bool

    static func withView<R>(
        of body: UnsafeRawBufferPointer,
        _ look: (View) throws(Refusal) -> R
    ) throws(Refusal) -> R
}

/// JSON 1.1: what nearly all SDKs speak.
enum AmazonJSON: AmazonWire {
    typealias View = JSONView
    typealias Writer = AmazonJSONWriter

    static var contentType: StaticString { "application/x-amz-json-1.1" }

    static func speaks(_ type: UnsafeRawBufferPointer) -> Bool {
        FieldBytes.equal(type, "application/x-amz-json-1.1") || FieldBytes.equal(type, "application/x-amz-json-1.0")
            || FieldBytes.equal(type, "application/json") || type.isEmpty
    }

    static func withView<R>(
        of body: UnsafeRawBufferPointer,
        _ look: (JSONView) throws(Refusal) -> R
    ) throws(Refusal) -> R {
        let view: JSONView
        do throws(JSONFault) {
            view = try JSONView(validating: body)
        } catch {
            throw .serialization(Refusal(error, in: body).message)
        }
        return try look(view)
    }
}

/// CBOR 1.1: what SDKs for Java speak unless they are told not to.
enum AmazonCBOR: AmazonWire {
    typealias View = CBORView
    typealias Writer = AmazonCBORWriter

    static var contentType: StaticString { "application/x-amz-cbor-1.1" }

    static func speaks(_ type: UnsafeRawBufferPointer) -> Bool {
        FieldBytes.equal(type, "application/x-amz-cbor-1.1") || FieldBytes.equal(type, "application/cbor")
    }

    static func withView<R>(
        of body: UnsafeRawBufferPointer,
        _ look: (CBORView) throws(Refusal) -> R
    ) throws(Refusal) -> R {
        let view: CBORView
        do throws(CBOR.Fault) {
            view = try CBORView(validating: body)
        } catch {
            throw .serialization("The body is not CBOR: \(error).")
        }
        return try look(view)
    }
}

extension CBOR.Fault: CustomStringConvertible {
    var description: String {
        switch self {
        case .truncated: "it ends too early"
        case .malformed(let offset): "the byte at offset \(offset) begins nothing"
        case .tooDeep: "arrays and maps are nested deeper than \(CBOR.depthLimit) levels"
        case .trailing: "there is more after the first item"
        }
    }
}

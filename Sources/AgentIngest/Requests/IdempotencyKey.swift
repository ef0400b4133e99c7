// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import Crypto

/// By what a client lets its request be known, so that it is kept once: `Idempotency-Key`, or the id that an AWS SDK
/// gives a call and sends with each of its attempts.
///
/// Lives from the head of the request to the end of its body.
final class IdempotencyKey {
    static let maxBytes = 255

    private enum Kind: UInt8 {
        case given = 1
        /// Of a call of an SDK. Nobody chose it to mean a request, so one with another body is another request.
        case call = 2
    }

    private let kind: Kind
    private let key: [UInt8]
    /// What was hashed of the request so far.
    private var content = SHA256()

    /// - Returns: `nil` where the request has no key.
    static func find(in request: RequestView) throws(Refusal) -> IdempotencyKey? {
        let head = request.head
        if head.idempotencyKey.isPresent {
            return IdempotencyKey(.given, try unquoted(head.idempotencyKey.bytes(in: request.bytes)), request)
        }
        guard head.invocationID.isPresent, head.amazonTarget.isPresent else { return nil }
        let id = head.invocationID.bytes(in: request.bytes)
        return id.isEmpty || id.count > maxBytes ? nil : IdempotencyKey(.call, id, request)
    }

    private init(_ kind: Kind, _ key: UnsafeRawBufferPointer, _ request: RequestView) {
        self.kind = kind
        self.key = Array(key)
        let head = request.head
        for range in [
            head.path, head.query, head.contentType, head.partitionKey, head.explicitHashKey, head.amazonTarget,
        ] {
            add(range.isPresent ? range.bytes(in: request.bytes) : UnsafeRawBufferPointer(start: nil, count: 0))
        }
    }

    /// A quoted or a bare string.
    private static func unquoted(_ bytes: UnsafeRawBufferPointer) throws(Refusal) -> UnsafeRawBufferPointer {
        var key = bytes
        let quote = UInt8(ascii: "\"")
        if key.count >= 2, key.first == quote, key.last == quote {
            key = UnsafeRawBufferPointer(rebasing: key.dropFirst().dropLast())
        }
        guard 1...maxBytes ~= key.count else {
            throw Refusal(400, "malformed_key", "An Idempotency-Key has 1 to \(maxBytes) bytes.")
        }
        return key
    }

    /// With its length, so that no two requests come to the same by being cut otherwise.
    private func add(_ bytes: UnsafeRawBufferPointer) {
        withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { content.update(bufferPointer: $0) }
        content.update(bufferPointer: bytes)
    }

    /// To be called once, with the whole body.
    func identity(of body: [UInt8], for destination: DestinationID) -> RequestIdentity {
        body.withBytes { add($0) }
        let content = Self.short(content.finalize())
        var name = SHA256()
        withUnsafeBytes(of: destination.rawValue.littleEndian) { name.update(bufferPointer: $0) }
        name.update(data: [kind.rawValue])
        name.update(data: key)
        if kind == .call { withUnsafeBytes(of: content) { name.update(bufferPointer: $0) } }
        return RequestIdentity(name: Self.short(name.finalize()), content: content)
    }

    private static func short(_ digest: SHA256.Digest) -> SIMD2<UInt64> {
        digest.withUnsafeBytes {
            SIMD2($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
    }
}

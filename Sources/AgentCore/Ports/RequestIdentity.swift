// SPDX-License-Identifier: Apache-2.0

/// What a request is known by, so that it is kept once however often its sender sends it.
///
/// Both are digests (128 bits, of a function for which nobody finds two inputs with one digest), so that texts of any
/// length cost the same.
public struct RequestIdentity: Hashable, Sendable {
    /// Of the key that the sender gave, and of what it is for: the same each time it is sent.
    public let name: SIMD2<UInt64>
    /// Of what is asked for: what has the same name and another content is another request, and wrong.
    public let content: SIMD2<UInt64>

    public init(name: SIMD2<UInt64>, content: SIMD2<UInt64>) {
        self.name = name
        self.content = content
    }
}

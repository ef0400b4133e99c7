// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// The head of a request, while the bytes are there that it was read from.
struct RequestView {
    let head: RequestHead
    let bytes: UnsafeRawBufferPointer

    var method: RequestHead.Method { head.method }
    var path: UnsafeRawBufferPointer { head.path.bytes(in: bytes) }
    var segments: PathSegments? { PathSegments(path) }

    /// What is not understood, and would be wrong to pass over, whatever the shape.
    func refuseUnavailable() throws(Refusal) {
        if head.contentEncoding.isPresent {
            let coding = head.contentEncoding.bytes(in: bytes)
            guard coding.isEmpty || FieldBytes.equal(coding, "identity") else { throw .contentEncoding }
        }
    }

    /// Refuses all methods but one.
    func only(_ method: RequestHead.Method, _ name: String) throws(Refusal) {
        guard self.method == method else {
            throw Refusal(405, "method_not_allowed", "This path takes \(name).", allow: name)
        }
    }
}

/// The parts of a path between its slashes: one to four, none of them empty.
struct PathSegments {
    private static let most = 4

    private(set) var count = 0
    private let path: UnsafeRawBufferPointer
    /// Where each ends.
    private var ends = SIMD4<Int32>()

    /// `nil` where the path is no such one.
    init?(_ path: UnsafeRawBufferPointer) {
        guard path.count > 1, path[0] == UInt8(ascii: "/") else { return nil }
        self.path = path
        var start = 1
        for at in 1...path.count where at == path.count || path[at] == UInt8(ascii: "/") {
            guard at > start, count < Self.most else { return nil }
            ends[count] = Int32(truncatingIfNeeded: at)
            count += 1
            start = at + 1
        }
    }

    subscript(index: Int) -> UnsafeRawBufferPointer {
        let start = index == 0 ? 1 : Int(ends[index - 1]) + 1
        return UnsafeRawBufferPointer(rebasing: path[start..<Int(ends[index])])
    }

    func has(_ word: StaticString, at index: Int) -> Bool { self[index].isSame(as: word) }

    /// The decoded text of a part.
    func name(at index: Int) throws(Refusal) -> String { try Self.name(self[index]) }

    static func name(_ segment: UnsafeRawBufferPointer) throws(Refusal) -> String {
        guard let name = RequestTarget.segment(segment) else {
            throw Refusal(400, "malformed_path", "The path is not percent-encoded UTF-8.")
        }
        return name
    }
}

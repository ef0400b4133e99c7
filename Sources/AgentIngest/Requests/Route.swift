// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import Glibc

/// What a method and a path ask for.
enum Route: Equatable {
    case health
    case readiness
    /// Events of any form, as the request's content type says.
    case events(stream: String)
    /// `{"Data":…,"PartitionKey":…}`, answered once Kinesis has it.
    case put(stream: String)
    /// `{"event":…}`, with the statuses of an API that only knows 200, 400 and 500.
    case lambda(stream: String)

    static func find(_ method: RequestHead.Method, _ path: UnsafeRawBufferPointer) throws(Refusal) -> Route {
        if let stream = nativeStream(path) {
            guard method == .post else { throw notAllowed("POST") }
            return .events(stream: try name(stream))
        }
        let segments = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { UnsafeRawBufferPointer(rebasing: $0) }
        // The part before the first slash is empty; all others are names.
        guard segments.count > 1, segments[0].isEmpty, !segments.dropFirst().contains(where: \.isEmpty) else {
            throw notFound
        }
        let last = segments[segments.count - 1]
        func has(_ index: Int, _ word: String) -> Bool { segments[index].elementsEqual(word.utf8) }
        switch segments.count {
        case 2 where has(1, "healthz") || has(1, "readyz") || has(1, "metrics"):
            guard method == .get || method == .head else { throw notAllowed("GET, HEAD") }
            if has(1, "metrics") { throw .notAvailable("GET /metrics") }
            return has(1, "healthz") ? .health : .readiness
        case 4 where has(1, "kinesis") && has(2, "stream"):
            guard method == .post else { throw notAllowed("POST") }
            return .lambda(stream: try name(last))
        case 4 where has(1, "streams") && (has(3, "record") || has(3, "records")):
            guard method == .put else { throw notAllowed("PUT") }
            throw .notAvailable("PUT /streams/{stream}/record")
        case 2, 3:
            guard method == .put else { throw notAllowed("PUT") }
            return .put(stream: try name(last))
        default:
            throw notFound
        }
    }

    /// Between `/v1/streams/` and `/events`: the path of nearly every request, so it is looked for first.
    @inline(__always)
    private static func nativeStream(_ path: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let (before, after): (StaticString, StaticString) = ("/v1/streams/", "/events")
        let first = before.utf8CodeUnitCount
        let last = path.count - after.utf8CodeUnitCount
        guard last > first, let base = path.baseAddress, memcmp(base, before.utf8Start, first) == 0,
            memcmp(base + last, after.utf8Start, after.utf8CodeUnitCount) == 0,
            memchr(base + first, Int32(UInt8(ascii: "/")), last - first) == nil
        else { return nil }
        return UnsafeRawBufferPointer(rebasing: path[first..<last])
    }

    private static func name(_ segment: UnsafeRawBufferPointer) throws(Refusal) -> String {
        guard let name = RequestTarget.segment(segment) else {
            throw Refusal(400, "malformed_path", "The path is not percent-encoded UTF-8.")
        }
        return name
    }

    private static let notFound = Refusal(
        404,
        "not_found",
        "There is nothing at this path. Post events to /v1/streams/{stream}/events."
    )

    private static func notAllowed(_ allow: String) -> Refusal {
        Refusal(405, "method_not_allowed", "This path takes \(allow).", allow: allow)
    }
}

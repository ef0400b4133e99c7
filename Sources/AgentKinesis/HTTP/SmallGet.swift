// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import CCurl

/// A GET of something small from a service nearby, such as a metadata endpoint: never through a proxy, on a connection of
/// its own, and no redirect is followed.
struct SmallGet {
    /// Longer answers are faults.
    static let largestAnswer = 64 << 10

    struct Answer {
        let status: Int
        let body: [UInt8]
    }

    struct Fault: Error {
        let reason: String
    }

    let url: String
    var headers: [(name: String, value: String)] = []
    /// From the start to the last byte.
    var timeout: Duration = .seconds(2)

    /// Blocks for up to ``timeout``.
    func perform() throws(Fault) -> Answer {
        guard HTTPExchange.libraryIsReady, let handle = curl_easy_init() else {
            throw Fault(reason: "libcurl could not be started: out of memory")
        }
        defer { curl_easy_cleanup(handle) }
        let list = HeaderList(headers)
        let answer = ReceivedBytes()
        let codes = [
            agent_curl_setopt_string(handle, CURLOPT_URL, url),
            agent_curl_setopt_string(handle, CURLOPT_PROTOCOLS_STR, "http,https"),
            agent_curl_setopt_string(handle, CURLOPT_NOPROXY, "*"),
            agent_curl_setopt_string(handle, CURLOPT_USERAGENT, "agentd"),
            agent_curl_setopt_long(handle, CURLOPT_NOSIGNAL, 1),
            agent_curl_setopt_long(handle, CURLOPT_TIMEOUT_MS, Int(timeout.wholeMilliseconds)),
            agent_curl_setopt_headers(handle, CURLOPT_HTTPHEADER, list.first),
            agent_curl_setopt_write(handle, CURLOPT_WRITEFUNCTION, receive),
            agent_curl_setopt_pointer(handle, CURLOPT_WRITEDATA, Unmanaged.passUnretained(answer).toOpaque()),
        ]
        let refused = codes.first { $0 != CURLE_OK }
        let result = refused ?? curl_easy_perform(handle)
        // The handle points at both until here.
        withExtendedLifetime((list, answer)) {}
        if answer.isTooLong { throw Fault(reason: "it answered more than \(Self.largestAnswer >> 10) KiB") }
        guard result == CURLE_OK else { throw Fault(reason: String(cString: curl_easy_strerror(result))) }
        var status = 0
        guard agent_curl_getinfo_long(handle, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK else {
            throw Fault(reason: "its answer has no status")
        }
        return Answer(status: status, body: answer.bytes)
    }
}

private final class ReceivedBytes {
    var bytes: [UInt8] = []
    var isTooLong = false
}

private func receive(
    _ bytes: UnsafeMutablePointer<CChar>?,
    _ size: Int,
    _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let context else { return 0 }
    let answer = Unmanaged<ReceivedBytes>.fromOpaque(context).takeUnretainedValue()
    if answer.bytes.count + size * count > SmallGet.largestAnswer {
        answer.isTooLong = true
        return 0
    }
    answer.bytes.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: size * count))
    return size * count
}

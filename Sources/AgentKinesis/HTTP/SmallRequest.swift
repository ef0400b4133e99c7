// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import CCurl

/// A request for something small, such as credentials of a metadata endpoint: on a connection of its own, and no redirect
/// is followed. Never through a proxy, unless ``isNearby`` is turned off.
struct SmallRequest {
    /// Longer answers are faults.
    static let largestAnswer = 64 << 10

    struct Answer {
        let status: Int
        let body: [UInt8]
    }

    struct Fault: Error {
        let reason: String
    }

    enum Method {
        case get
        /// Without a body.
        case put
        case post(String)
    }

    let url: String
    var method = Method.get
    var headers: [(name: String, value: String)] = []
    /// From the start to the last byte.
    var timeout: Duration = .seconds(2)
    /// Whether it is asked without a proxy, whatever the environment says.
    var isNearby = true
    /// Of certificate authorities; empty: the system's.
    var caFile = ""

    /// Blocks for up to ``timeout``.
    func perform() throws(Fault) -> Answer {
        guard HTTPExchange.libraryIsReady, let handle = curl_easy_init() else {
            throw Fault(reason: "libcurl could not be started: out of memory")
        }
        defer { curl_easy_cleanup(handle) }
        let list = HeaderList(headers)
        let answer = ReceivedBytes()
        var codes = [
            agent_curl_setopt_string(handle, CURLOPT_URL, url),
            agent_curl_setopt_string(handle, CURLOPT_PROTOCOLS_STR, "http,https"),
            agent_curl_setopt_string(handle, CURLOPT_USERAGENT, "agentd"),
            agent_curl_setopt_long(handle, CURLOPT_NOSIGNAL, 1),
            agent_curl_setopt_long(handle, CURLOPT_TIMEOUT_MS, Int(timeout.wholeMilliseconds)),
            agent_curl_setopt_headers(handle, CURLOPT_HTTPHEADER, list.first),
            agent_curl_setopt_write(handle, CURLOPT_WRITEFUNCTION, receive),
            agent_curl_setopt_pointer(handle, CURLOPT_WRITEDATA, Unmanaged.passUnretained(answer).toOpaque()),
        ]
        if isNearby { codes.append(agent_curl_setopt_string(handle, CURLOPT_NOPROXY, "*")) }
        if !caFile.isEmpty {
            codes.append(agent_curl_setopt_string(handle, CURLOPT_CAINFO, caFile))
            codes.append(agent_curl_setopt_string(handle, CURLOPT_CAPATH, nil))
        }
        switch method {
        case .get: break
        case .put: codes.append(agent_curl_setopt_string(handle, CURLOPT_CUSTOMREQUEST, "PUT"))
        case .post(let body):
            codes.append(agent_curl_setopt_long(handle, CURLOPT_POST, 1))
            codes.append(agent_curl_setopt_string(handle, CURLOPT_COPYPOSTFIELDS, body))
        }
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
    if answer.bytes.count + size * count > SmallRequest.largestAnswer {
        answer.isTooLong = true
        return 0
    }
    answer.bytes.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: size * count))
    return size * count
}

// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import CCurl

/// One libcurl easy handle with its connections, and one POST on it at a time.
///
/// Confined to whoever owns it: libcurl keeps pointers to this object and to the body while ``perform(_:)`` runs.
/// Options: <https://curl.se/libcurl/c/curl_easy_setopt.html>, read for 7.88.1.
final class HTTPExchange {
    /// An answer longer than this is cut off and is an error: 500 entries take 100 KiB.
    static let largestAnswer = 4 << 20

    enum Ending {
        case answered
        /// libcurl gave up; whether the request was begun to be sent, and why.
        case failed(mayBeSent: Bool, reason: String)
        case cancelled
        case answerTooLong
        /// libcurl refused an option: nothing was sent, and this object is of no more use.
        case unusable(reason: String)
    }

    /// Of the last answer.
    private(set) var body: [UInt8] = []
    private(set) var status = 0

    private let handle: UnsafeMutableRawPointer
    private let errorText: UnsafeMutablePointer<CChar>
    private let cancellation: SendCancellation
    private let stallTimeout: Duration
    private var headers: HeaderList?
    /// What libcurl said of the first option that it refused.
    private var refusedOption: CURLcode?
    private var requestsBegun = 0
    private var isTooLong = false
    /// Bytes sent and received so far, and when that last changed.
    private var moved: (bytes: Int64, at: Instant) = (0, .zero)
    private var isStalled = false
    /// How long no byte may move; shorter where others want the worker.
    private var stallLimit: Duration = .zero

    /// - Returns: `nil` where libcurl has no memory left.
    init?(_ settings: KinesisSettings, cancellation: SendCancellation) {
        guard Self.libraryIsReady, let handle = curl_easy_init() else { return nil }
        self.handle = handle
        self.cancellation = cancellation
        stallTimeout = settings.stallTimeout
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        configure(settings)
    }

    deinit {
        // The handle goes first: it points at the others.
        curl_easy_cleanup(handle)
        errorText.deallocate()
    }

    /// curl_global_init is not safe to be called by several threads; a global constant is made once.
    private static let libraryIsReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    func set(_ option: CURLoption, _ value: Int) { note(agent_curl_setopt_long(handle, option, value)) }
    func set(_ option: CURLoption, _ value: String?) { note(agent_curl_setopt_string(handle, option, value)) }

    func setHeaders(_ list: HeaderList) {
        note(agent_curl_setopt_headers(handle, CURLOPT_HTTPHEADER, list.first))
        headers = list
    }

    /// Sends `body` and blocks until the answer is there or will not come. Exactly one request leaves at most.
    func perform(_ body: UnsafeRawBufferPointer) -> Ending {
        // Keeps its capacity where no slice of the last answer is in use any more.
        self.body.removeAll(keepingCapacity: true)
        status = 0
        requestsBegun = 0
        isTooLong = false
        moved = (0, .sinceBoot())
        isStalled = false
        cancellation.reset()
        errorText[0] = 0
        // POSTFIELDS are not copied. The size must be set too, because the body is not a C string.
        note(agent_curl_setopt_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count)))
        note(agent_curl_setopt_pointer(handle, CURLOPT_POSTFIELDS, UnsafeMutableRawPointer(mutating: body.baseAddress)))
        if let refusedOption { return .unusable(reason: text(of: refusedOption)) }
        let result = curl_easy_perform(handle)
        status = responseCode
        if result == CURLE_OK { return .answered }
        if isTooLong { return .answerTooLong }
        if cancellation.isCancelled { return .cancelled }
        if isStalled {
            let reason = "not a byte moved for \(stallLimit.inSeconds) s"
            return .failed(mayBeSent: requestsBegun > 0, reason: reason)
        }
        if requestsBegun > 1 { return .failed(mayBeSent: true, reason: "the kept connection was closed") }
        return .failed(mayBeSent: requestsBegun > 0, reason: text(of: result))
    }

    /// 0 where there is none.
    private var responseCode: Int {
        var code = 0
        return agent_curl_getinfo_long(handle, CURLINFO_RESPONSE_CODE, &code) == CURLE_OK ? code : 0
    }

    /// The value of the answer's last header of that name.
    func header(_ name: String) -> String? {
        var found: UnsafeMutablePointer<curl_header>?
        guard curl_easy_header(handle, name, 0, UInt32(CURLH_HEADER), -1, &found) == CURLHE_OK, let found else {
            return nil
        }
        return String(cString: found.pointee.value)
    }

    private func configure(_ settings: KinesisSettings) {
        let this = Unmanaged.passUnretained(self).toOpaque()
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_POST, 1)
        set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        set(CURLOPT_TCP_NODELAY, 1)
        set(CURLOPT_TCP_KEEPALIVE, 1)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_USERAGENT, "agentd")
        if !settings.caFile.isEmpty {
            set(CURLOPT_CAINFO, settings.caFile)
            set(CURLOPT_CAPATH, nil)
        }
        set(CURLOPT_CONNECTTIMEOUT_MS, Int(settings.connectTimeout.wholeMilliseconds))
        set(CURLOPT_TIMEOUT_MS, Int(settings.requestTimeout.wholeMilliseconds))
        // Load balancers often close what was idle for a minute; a request that races with that is ambiguous.
        set(CURLOPT_MAXAGE_CONN, 50)
        // libcurl 7.88 would sign a header "Expect:" that only says not to send one. So it may send its own with
        // bodies above 1 MiB, but waits no longer than this for the service's consent.
        set(CURLOPT_EXPECT_100_TIMEOUT_MS, 1)
        // A request of 500 small records leaves in few writes.
        set(CURLOPT_UPLOAD_BUFFERSIZE, 256 << 10)
        note(agent_curl_setopt_pointer(handle, CURLOPT_ERRORBUFFER, errorText))
        note(agent_curl_setopt_write(handle, CURLOPT_WRITEFUNCTION, receiveBody))
        note(agent_curl_setopt_pointer(handle, CURLOPT_WRITEDATA, this))
        set(CURLOPT_NOPROGRESS, 0)
        note(agent_curl_setopt_progress(handle, reportProgress))
        note(agent_curl_setopt_pointer(handle, CURLOPT_XFERINFODATA, this))
        note(agent_curl_setopt_prereq(handle, requestBegins))
        note(agent_curl_setopt_pointer(handle, CURLOPT_PREREQDATA, this))
    }

    private func note(_ code: CURLcode) {
        if code != CURLE_OK, refusedOption == nil { refusedOption = code }
    }

    private func text(of code: CURLcode) -> String {
        errorText[0] != 0 ? String(cString: errorText) : String(cString: curl_easy_strerror(code))
    }

    // What libcurl calls back.

    fileprivate func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
        if body.count + bytes.count > Self.largestAnswer {
            isTooLong = true
            return 0
        }
        body.append(contentsOf: bytes)
        return bytes.count
    }

    /// Called with every movement, and once a second without.
    /// - Returns: Whether to go on.
    fileprivate func progressed(to bytes: Int64) -> Bool {
        if cancellation.isCancelled { return false }
        let now = Instant.sinceBoot()
        if bytes != moved.bytes { moved = (bytes, now) }
        stallLimit = cancellation.endsWhenStalled ? min(.seconds(1), stallTimeout) : stallTimeout
        isStalled = now - moved.at >= stallLimit
        return !isStalled
    }

    /// libcurl repeats a request by itself when a kept connection turns out to be closed. The first one may have been
    /// taken all the same, so that is for the caller to decide, who knows what it means for the records.
    fileprivate func beginRequest() -> Bool {
        requestsBegun += 1
        return requestsBegun == 1
    }
}

extension HTTPExchange {
    fileprivate static func of(_ context: UnsafeMutableRawPointer) -> HTTPExchange {
        Unmanaged<HTTPExchange>.fromOpaque(context).takeUnretainedValue()
    }
}

private func receiveBody(
    _ bytes: UnsafeMutablePointer<CChar>?,
    _ size: Int,
    _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let context else { return 0 }
    return HTTPExchange.of(context).receive(UnsafeRawBufferPointer(start: bytes, count: size * count))
}

private func reportProgress(
    _ context: UnsafeMutableRawPointer?,
    _: curl_off_t,
    _ received: curl_off_t,
    _: curl_off_t,
    _ sent: curl_off_t
) -> Int32 {
    guard let context else { return 1 }
    return HTTPExchange.of(context).progressed(to: Int64(received) + Int64(sent)) ? 0 : 1
}

private func requestBegins(
    _ context: UnsafeMutableRawPointer?,
    _: UnsafeMutablePointer<CChar>?,
    _: UnsafeMutablePointer<CChar>?,
    _: Int32,
    _: Int32
) -> Int32 {
    guard let context else { return CURL_PREREQFUNC_ABORT }
    return HTTPExchange.of(context).beginRequest() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
}

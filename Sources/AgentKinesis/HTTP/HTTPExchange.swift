// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import CCurl
internal import Glibc

/// One libcurl easy handle with its connections, and one POST on it at a time.
///
/// Confined to whoever owns it: libcurl keeps pointers to this object and to the body while ``perform(_:)`` runs.
/// Options: <https://curl.se/libcurl/c/curl_easy_setopt.html>, read for 7.88.1.
final class HTTPExchange {
    /// An answer longer than this is cut off and is an error: 500 entries take 100 KiB.
    static let largestAnswer = 4 << 20

    enum Ending {
        case answered
        /// libcurl gave up, or was told to.
        case failed(TransferFault)
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
    private let sockets: OpenSockets
    private var headers: HeaderList?
    private var url = ""
    /// What libcurl said of the first option that it refused.
    private var refusedOption: CURLcode?
    private var requestsBegun = 0
    private var isTooLong = false
    private var watch: TransferWatch
    /// How long no byte moved, where that ended the request.
    private var stalledFor: Duration?

    /// - Returns: `nil` where libcurl has no memory left.
    init?(_ settings: KinesisSettings, cancellation: SendCancellation) {
        guard Self.libraryIsReady, let handle = curl_easy_init() else { return nil }
        self.handle = handle
        self.cancellation = cancellation
        watch = TransferWatch(limit: settings.stallTimeout)
        sockets = OpenSockets(userTimeout: settings.stallTimeout)
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        configure(settings)
    }

    deinit {
        // The handle goes first: it points at the others, and closes its sockets.
        curl_easy_cleanup(handle)
        errorText.deallocate()
    }

    /// curl_global_init is not safe to be called by several threads; a global constant is made once.
    static let libraryIsReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    func set(_ option: CURLoption, _ value: Int) { note(agent_curl_setopt_long(handle, option, value)) }
    func set(_ option: CURLoption, _ value: String?) { note(agent_curl_setopt_string(handle, option, value)) }

    func setURL(_ url: String) {
        if url == self.url { return }
        self.url = url
        set(CURLOPT_URL, url)
    }

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
        stalledFor = nil
        watch.begin(now: .sinceBoot())
        sockets.beginRequest()
        cancellation.beginRequest()
        errorText[0] = 0
        // POSTFIELDS are not copied. The size must be set too, because the body is not a C string.
        note(agent_curl_setopt_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count)))
        note(agent_curl_setopt_pointer(handle, CURLOPT_POSTFIELDS, UnsafeMutableRawPointer(mutating: body.baseAddress)))
        if let refusedOption { return .unusable(reason: text(of: refusedOption)) }
        let result = curl_easy_perform(handle)
        sockets.awaitsAnswer = false
        status = number(CURLINFO_RESPONSE_CODE)
        if result == CURLE_OK { return .answered }
        if isTooLong { return .answerTooLong }
        if cancellation.isCancelled { return .cancelled }
        return .failed(fault(result))
    }

    private func fault(_ result: CURLcode) -> TransferFault {
        let mayBeSent = requestsBegun > 0
        if let stalledFor {
            let reason = "not a byte moved for \(stalledFor.wholeMilliseconds) ms"
            return TransferFault(mayBeSent: mayBeSent, reason: reason, isTimeout: true)
        }
        if requestsBegun > 1 { return TransferFault(mayBeSent: true, reason: "the kept connection was closed") }
        return TransferFault(
            result,
            mayBeSent: mayBeSent,
            proxyStatus: number(CURLINFO_HTTP_CONNECTCODE),
            reason: text(of: result)
        )
    }

    /// 0 where there is none.
    private func number(_ what: CURLINFO) -> Int {
        var number = 0
        return agent_curl_getinfo_long(handle, what, &number) == CURLE_OK ? number : 0
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
        // An idle connection that died without a word is found by probes, rather than by a request.
        set(CURLOPT_TCP_KEEPALIVE, 1)
        set(CURLOPT_TCP_KEEPIDLE, 15)
        set(CURLOPT_TCP_KEEPINTVL, 5)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_USERAGENT, "agentd")
        // Whatever the system's policy allows.
        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if !settings.caFile.isEmpty {
            set(CURLOPT_CAINFO, settings.caFile)
            set(CURLOPT_CAPATH, nil)
        }
        set(CURLOPT_CONNECTTIMEOUT_MS, Int(settings.connectTimeout.wholeMilliseconds))
        set(CURLOPT_TIMEOUT_MS, Int(settings.requestTimeout.wholeMilliseconds))
        // Load balancers often close what was idle for a minute; a request that races with that is ambiguous.
        set(CURLOPT_MAXAGE_CONN, 50)
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
        let sockets = Unmanaged.passUnretained(sockets).toOpaque()
        note(agent_curl_setopt_sockopt(handle, socketOpened))
        note(agent_curl_setopt_pointer(handle, CURLOPT_SOCKOPTDATA, sockets))
        note(agent_curl_setopt_closesocket(handle, closeSocket))
        note(agent_curl_setopt_pointer(handle, CURLOPT_CLOSESOCKETDATA, sockets))
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
        sockets.awaitsAnswer = false
        body.append(contentsOf: bytes)
        return bytes.count
    }

    /// Called with every movement, and once a second without.
    /// - Returns: Whether to go on.
    fileprivate func progressed(received: Int64, sent: Int64, of size: Int64) -> Bool {
        if cancellation.isCancelled { return false }
        var sample = watch.last
        let isSilent = sample.received == received && sample.sent == sent
        sample.hasBegun = requestsBegun > 0
        sample.received = received
        sample.sent = sent
        sample.size = size
        sample.isKept = sockets.isKept
        // The kernel is asked only where libcurl has nothing to tell.
        if isSilent || sent == size { sample.unacknowledged = sockets.unacknowledged }
        stalledFor = watch.stalled(sample, inHaste: cancellation.endsWhenStalled, now: .sinceBoot())
        return stalledFor == nil
    }

    /// libcurl repeats a request by itself when a kept connection turns out to be closed. The first one may have been
    /// taken all the same, so that is for the caller to decide, who knows what it means for the records.
    fileprivate func beginRequest(localPort: UInt16) -> Bool {
        requestsBegun += 1
        sockets.use(localPort: localPort)
        sockets.awaitsAnswer = true
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
    _ size: curl_off_t,
    _ sent: curl_off_t
) -> Int32 {
    guard let context else { return 1 }
    let goesOn = HTTPExchange.of(context).progressed(received: Int64(received), sent: Int64(sent), of: Int64(size))
    return goesOn ? 0 : 1
}

private func requestBegins(
    _ context: UnsafeMutableRawPointer?,
    _: UnsafeMutablePointer<CChar>?,
    _: UnsafeMutablePointer<CChar>?,
    _: Int32,
    _ localPort: Int32
) -> Int32 {
    guard let context else { return CURL_PREREQFUNC_ABORT }
    let mayGo = HTTPExchange.of(context).beginRequest(localPort: UInt16(truncatingIfNeeded: localPort))
    return mayGo ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
}

private func socketOpened(_ context: UnsafeMutableRawPointer?, _ socket: curl_socket_t, _: curlsocktype) -> Int32 {
    if let context { Unmanaged<OpenSockets>.fromOpaque(context).takeUnretainedValue().opened(socket) }
    return Int32(CURL_SOCKOPT_OK)
}

private func closeSocket(_ context: UnsafeMutableRawPointer?, _ socket: curl_socket_t) -> Int32 {
    guard let context else { return close(socket) }
    return Unmanaged<OpenSockets>.fromOpaque(context).takeUnretainedValue().close(socket)
}

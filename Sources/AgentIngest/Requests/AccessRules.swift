// SPDX-License-Identifier: Apache-2.0

internal import NIOCore

/// Who may talk to the agent from inside a browser: nobody who is not configured.
///
/// A page of any site can make its visitor's browser send requests to loopback. It cannot hide where it comes from
/// (`Origin`), unless it makes its own name resolve to 127.0.0.1; then `Host` carries that name.
struct AccessRules: Sendable {
    private let hosts: [String]
    private let origins: [String]
    /// What a browser wants to see in replies to each of ``origins``.
    private let fields: [String]

    init(_ settings: IngestSettings) {
        origins = settings.allowedOrigins.map { $0.lowercased() }
        fields = origins.map {
            """
            Access-Control-Allow-Origin: \($0)\r
            Access-Control-Expose-Headers: Allow, Retry-After\r
            Vary: Origin\r

            """
        }
        var hosts = settings.allowedHosts.map { $0.lowercased() }
        if let address = BindAddress(settings.http) { hosts.append(address.hostField.lowercased()) }
        self.hosts = hosts
    }

    /// The fields of replies to an origin, each with its line end.
    func fields(for origin: AllowedOrigin) -> String { origin == .none ? "" : fields[origin.index] }

    /// The origin that a request has.
    func origin(of request: RequestHead, _ head: UnsafeRawBufferPointer) throws(Refusal) -> AllowedOrigin {
        guard request.origin.isPresent else { return .none }
        let text = String(decoding: request.origin.bytes(in: head), as: UTF8.self).lowercased()
        guard let index = origins.firstIndex(of: text) else {
            throw Refusal(
                403,
                "origin_not_allowed",
                "Requests from web pages are refused. Add the Origin to listen.allowed_origins to allow it."
            )
        }
        return AllowedOrigin(index: index)
    }

    /// - Parameters:
    ///   - isLocal: it came over the Unix socket, to which no web page has access.
    ///   - cameTo: the address of the agent that the client connected to.
    func checkHost(
        of request: RequestHead,
        _ head: UnsafeRawBufferPointer,
        isLocal: Bool,
        cameTo: () -> SocketAddress?
    ) throws(Refusal) {
        if isLocal || !request.host.isPresent { return }
        let host = request.host.bytes(in: head)
        if HostName.isLoopback(host) { return }
        let name = String(decoding: HostName.withoutPort(host), as: UTF8.self).lowercased()
        if hosts.contains(name) { return }
        // Nobody can make a name of theirs look like an address.
        if let address = cameTo(), HostName.names(name, address) { return }
        throw Refusal(
            403,
            "host_not_allowed",
            "The Host '\(name.prefix(128))' is not this agent. Add it to listen.allowed_hosts to allow it."
        )
    }
}

/// Which of the allowed origins a request has, if any.
struct AllowedOrigin: Equatable {
    static let none = AllowedOrigin(index: -1)

    let index: Int
}

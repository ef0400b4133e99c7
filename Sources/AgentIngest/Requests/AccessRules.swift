// SPDX-License-Identifier: Apache-2.0

/// Who may talk to the agent from inside a browser: nobody who is not configured.
///
/// A page of any site can make its visitor's browser send requests to loopback. It cannot hide where it comes from
/// (`Origin`), unless it makes its own name resolve to 127.0.0.1; then `Host` carries that name.
struct AccessRules: Sendable {
    private let hosts: [String]
    private let origins: [String]

    init(_ settings: IngestSettings) {
        origins = settings.allowedOrigins.map { $0.lowercased() }
        var hosts = settings.allowedHosts.map { $0.lowercased() }
        if let address = BindAddress(settings.http) { hosts.append(address.hostField.lowercased()) }
        self.hosts = hosts
    }

    func check(_ request: RequestHead, head: UnsafeRawBufferPointer, isLocal: Bool) throws(Refusal) {
        if request.origin.isPresent {
            let origin = String(decoding: request.origin.bytes(in: head), as: UTF8.self)
            guard origins.contains(origin.lowercased()) else {
                throw Refusal(
                    403,
                    "origin_not_allowed",
                    "Requests from web pages are refused. Add the Origin to listen.allowed_origins to allow it."
                )
            }
        }
        if isLocal || !request.host.isPresent { return }
        let host = request.host.bytes(in: head)
        if HostName.isLoopback(host) { return }
        let name = String(decoding: HostName.withoutPort(host), as: UTF8.self).lowercased()
        guard hosts.contains(name) else {
            throw Refusal(
                403,
                "host_not_allowed",
                "The Host '\(name.prefix(128))' is not this agent. Add it to listen.allowed_hosts to allow it."
            )
        }
    }
}

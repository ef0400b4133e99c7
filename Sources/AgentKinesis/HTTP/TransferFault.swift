// SPDX-License-Identifier: Apache-2.0

internal import CCurl

/// Why libcurl brought no answer.
struct TransferFault {
    /// Whether the request was begun to be sent.
    let mayBeSent: Bool
    /// What is told apart because each has a remedy of its own; else empty.
    let code: String
    let reason: String
    /// Whether a limit of time ended it.
    let isTimeout: Bool

    init(mayBeSent: Bool, code: String = "", reason: String, isTimeout: Bool = false) {
        self.mayBeSent = mayBeSent
        self.code = code
        self.reason = reason
        self.isTimeout = isTimeout && mayBeSent
    }

    /// - Parameter proxyStatus: A proxy's answer to CONNECT; 0: none.
    init(_ result: CURLcode, mayBeSent: Bool, proxyStatus: Int, reason: String) {
        self.init(
            mayBeSent: mayBeSent,
            code: mayBeSent ? "" : Self.code(result, proxyStatus: proxyStatus),
            reason: reason,
            isTimeout: result == CURLE_OPERATION_TIMEDOUT
        )
    }

    private static func code(_ result: CURLcode, proxyStatus: Int) -> String {
        if proxyStatus == 407 { return "proxy_auth" }
        if proxyStatus >= 300 { return "proxy" }
        return switch result {
        case CURLE_COULDNT_RESOLVE_HOST: "dns"
        case CURLE_COULDNT_RESOLVE_PROXY, CURLE_PROXY: "proxy"
        case CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CIPHER: "tls"
        case CURLE_PEER_FAILED_VERIFICATION: "tls_certificate"
        case CURLE_SSL_CACERT_BADFILE: "ca_file"
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: "endpoint_url"
        default: ""
        }
    }
}

// SPDX-License-Identifier: Apache-2.0

/// What is asked about the agent itself.
enum Probe {
    case health
    case readiness
    case metrics

    /// `nil` where the path is no such one.
    init?(_ request: RequestView) throws(Refusal) {
        let path = request.path
        // Lengths first: nearly every path is longer.
        guard path.count <= 8 else { return nil }
        if path.isSame(as: "/healthz") {
            self = .health
        } else if path.isSame(as: "/readyz") {
            self = .readiness
        } else if path.isSame(as: "/metrics") {
            self = .metrics
        } else {
            return nil
        }
        guard request.method == .get || request.method == .head else {
            throw Refusal(405, "method_not_allowed", "This path takes GET, HEAD.", allow: "GET, HEAD")
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import AgentControl

extension ControlService {
    func flush(_ request: FlushRequest, reply: @escaping ControlReply<FlushReport>) -> @Sendable () -> Void {
        flusher.flush(timeout: request.timeoutSeconds, reply: reply)
    }
}

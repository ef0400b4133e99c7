// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentCore
internal import AgentQueue
internal import Dispatch
internal import FoundationEssentials

extension ControlService {
    /// The machine's queue only copies what delivery knows: deliveries wait for it.
    func status(_: StatusRequest, reply: @escaping ControlReply<StatusReport>) {
        delivery.status { [store, condition, assembling] statuses, now in
            let asked = (now, Date())
            assembling.async {
                let assembly = StatusAssembly(snapshot: store.snapshot(), delivery: statuses, asked: asked)
                var report = StatusReport()
                report.agent = condition.report(snapshot: assembly.snapshot)
                report.queue = assembly.queue
                report.totals = assembly.totals
                report.streams = assembly.streams
                reply(.success(report))
            }
        }
    }
}

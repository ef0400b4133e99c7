// SPDX-License-Identifier: Apache-2.0

/// Why a benchmark has no figures.
enum BenchError: Error, CustomStringConvertible {
    /// A system call failed on an object of this machine.
    case system(call: String, object: String, errno: Int32)
    /// The directory is of a kind on which figures would mean nothing, or that cannot be used.
    case badDirectory(String)
    case badAddress(String)
    /// A program ended, or did not get ready, when it should have run.
    case program(name: String, fault: String, log: String)
    /// The agent turned events away.
    case refused(String)
    /// Something did not happen in time.
    case stalled(String)
    /// The totals of the agent and of Kinesis disagree: events were lost or sent twice.
    case miscounted(String)
    case unintelligible(from: String, String)
    case interrupted

    var description: String {
        switch self {
        case .system(let call, let object, let number): "\(call) \(object): \(Text.system(number))"
        case .badDirectory(let fault), .badAddress(let fault): fault
        case .program(let name, let fault, let log): "\(name) \(fault)." + (log.isEmpty ? "" : " It said:\n\(log)")
        case .refused(let answer): "The agent refused events, so there is nothing to measure: \(answer)"
        case .stalled(let what): what
        case .miscounted(let what): what
        case .unintelligible(let peer, let answer): "\(peer) gave an answer that was not expected: \(answer)"
        case .interrupted: "Interrupted."
        }
    }
}

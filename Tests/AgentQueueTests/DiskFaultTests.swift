// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite
import Glibc
import Testing

@testable import AgentQueue

/// The first, the second, the third … call of a kind fails, once or from then on, until the story passes untouched.
struct DiskFaultTests {
    struct Fault: CustomTestStringConvertible {
        let call: FaultVFS.Call
        let isLasting: Bool
        var forgets = false
        var code: Int32?

        var testDescription: String {
            "\(call) fails \(isLasting ? "for ever" : "once")" + (forgets ? ", and takes what was written" : "")
                + (code == nil ? "" : " for want of room")
        }
    }

    static let faults =
        FaultVFS.Call.allCases.flatMap { call in [false, true].map { Fault(call: call, isLasting: $0) } }
        + [false, true].map { Fault(call: .write, isLasting: $0, code: SQLITE_FULL) }
        + [false, true].map { Fault(call: .sync, isLasting: $0, forgets: true) }

    /// Each of the first places, and of the later ones each fourth; `QUEUE_FAULT_STRIDE=1` tries them all.
    static let stride = getenv("QUEUE_FAULT_STRIDE").flatMap { Int(String(cString: $0)) } ?? 4

    @Test(arguments: faults) func whereverTheDiskFailsWhatWasPromisedIsKept(fault: Fault) throws {
        for place in 0..<1000 where place < 20 || place % Self.stride == 0 {
            let vfs = FaultVFS(seed: UInt64(place))
            vfs.set { $0.failedSyncForgets = fault.forgets }
            vfs.fail(fault.call, times: fault.isLasting ? .max : 1, after: place, code: fault.code)
            let story = FaultStory(vfs)
            do {
                try story.tell()
                if vfs.hits == 0 {
                    #expect(place > 0)
                    return
                }
                try story.settleAccounts()
            } catch {
                Issue.record("call \(place): \(error)")
                return
            }
        }
        Issue.record("no end of faults")
    }
}

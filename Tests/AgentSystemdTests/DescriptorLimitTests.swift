// SPDX-License-Identifier: Apache-2.0

import AgentSystemd
import Glibc
import Testing

/// Each changes the process it runs in.
@Suite struct DescriptorLimitTests {
    @Test func theSoftLimitIsRaisedUpToTheHardOne() async {
        await #expect(processExitsWith: .success) {
            let before = try #require(DescriptorLimit.current)
            #expect(DescriptorLimit.setSoft(64) == 64)
            #expect(DescriptorLimit.setSoft(min(before.hard, 512)) == min(before.hard, 512))
            #expect(DescriptorLimit.setSoft(.max) == before.hard)
            #expect(DescriptorLimit.current == DescriptorLimit(soft: before.hard, hard: before.hard))
        }
    }

    /// Threads of the runtime open files of their own for a moment (glibc reads the number of processors from one), so
    /// what counts is what a hundred of them change.
    @Test func descriptorsInUseAreCounted() async {
        await #expect(processExitsWith: .success) {
            let before = DescriptorLimit.inUse
            #expect(before >= 3)
            let descriptors = (0..<100).map { _ in open("/dev/null", O_RDONLY) }
            #expect(descriptors.allSatisfy { $0 >= 0 })
            #expect((95...105).contains(DescriptorLimit.inUse - before))
            for descriptor in descriptors { close(descriptor) }
            #expect((-5...5).contains(DescriptorLimit.inUse - before))
        }
    }
}

// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Dispatch
import Synchronization
import Testing

@testable import AgentKinesis

@Suite struct CredentialKeeperTests {
    /// Gives what it was told to give, one after the other, and then the last again.
    private final class ScriptedSource: CredentialSource {
        let lookedAt = "a test"
        private let left: Mutex<[Result<Credentials?, CredentialError>]>
        private let gate: DispatchSemaphore?
        private let count = Atomic<Int>(0)

        init(_ answers: [Result<Credentials?, CredentialError>], gate: DispatchSemaphore? = nil) {
            left = Mutex(answers)
            self.gate = gate
        }

        var asked: Int { count.load(ordering: .relaxed) }

        func credentials(now: WallTime) throws(CredentialError) -> Credentials? {
            gate?.wait()
            count.add(1, ordering: .relaxed)
            return try left.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }.get()
        }
    }

    /// What a keeper told, in order.
    private final class Told: Sendable {
        private let answers = Mutex<[String]>([])
        private let arrived = DispatchSemaphore(value: 0)

        func hear(_ answer: Result<Credentials, CredentialError>) {
            answers.withLock { $0.append((try? answer.get())?.accessKeyID ?? "none") }
            arrived.signal()
        }

        /// Once there is one more.
        func next() throws -> [String] {
            try #require(arrived.wait(timeout: .now() + 20) == .success)
            return answers.withLock { $0 }
        }
    }

    private func credentials(_ id: String) -> Credentials {
        Credentials(accessKeyID: id, secretAccessKey: "s", source: "a test")
    }

    @Test func nobodyWaitsForASourceThatBlocks() throws {
        let gate = DispatchSemaphore(value: 0)
        let keeper = CredentialKeeper(CredentialChain([ScriptedSource([.success(credentials("A"))], gate: gate)]))
        let told = Told()
        #expect(throws: CredentialError.pending) { try keeper.credentials() }
        keeper.start(told.hear)
        #expect(throws: CredentialError.pending) { try keeper.credentials() }
        gate.signal()
        #expect(try told.next() == ["A"])
        #expect(try keeper.credentials().accessKeyID == "A")
    }

    @Test func whatIsToldIsAtHandAlready() throws {
        let keeper = CredentialKeeper(CredentialChain([ScriptedSource([.success(nil)])]))
        let told = Told()
        keeper.start { answer in
            let atHand: Result<Credentials, CredentialError>
            do throws(CredentialError) { atHand = .success(try keeper.credentials()) } catch {
                atHand = .failure(error)
            }
            #expect(atHand == answer)
            told.hear(answer)
        }
        #expect(try told.next() == ["none"])
        #expect(throws: CredentialError.notFound(lookedAt: ["a test"])) { try keeper.credentials() }
    }

    @Test func aFailureIsTriedAgainByItself() throws {
        let source = ScriptedSource([
            .failure(.refused(source: "a test", fault: "no")), .success(credentials("A")),
        ])
        let told = Told()
        let keeper = CredentialKeeper(CredentialChain([source]))
        keeper.start(told.hear)
        #expect(try told.next() == ["none"])
        #expect(try told.next() == ["none", "A"])
    }

    @Test func refusedOnesAreGotAnew() throws {
        let source = ScriptedSource([.success(credentials("A")), .success(credentials("B"))])
        let told = Told()
        let keeper = CredentialKeeper(CredentialChain([source]))
        keeper.start(told.hear)
        #expect(try told.next() == ["A"])
        keeper.invalidate(credentials("NOBODY"))
        keeper.invalidate(credentials("A"))
        #expect(try told.next() == ["A", "B"])
        #expect(source.asked == 2)
    }

    @Test func aFileThatChangesIsReadAgain() throws {
        let home = try Home()
        let keeper = CredentialKeeper(home.chain, watchEvery: .milliseconds(5))
        let told = Told()
        keeper.start(told.hear)
        #expect(try told.next() == ["none"])
        for id in ["FIRST", "LATER"] {
            try home.write(credentials: "[default]\naws_access_key_id=\(id)\naws_secret_access_key=B\n")
            #expect(try told.next().last == id)
        }
        #expect(try keeper.credentials().accessKeyID == "LATER")
    }

    @Test func filesThatWereNotNeededAreNotWatched() throws {
        let home = try Home(credentials: "[default]\naws_access_key_id=FILE\naws_secret_access_key=s\n")
        let variables = ["AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s"]
        #expect(home.chain.ask(now: WallTime(seconds: 0)).files.contains(home.credentialsFile))
        let answer = CredentialChain.standard(environment: Environment(variables)).ask(now: WallTime(seconds: 0))
        #expect(answer.files.isEmpty)
    }
}

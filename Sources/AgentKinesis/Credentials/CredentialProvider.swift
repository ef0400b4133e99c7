// SPDX-License-Identifier: Apache-2.0

// Where credentials come from, and who sees to it that they are there.
//
//   CredentialSource    one place that may have some, such as the environment; may block
//   CredentialChain     places in order; +Standard lists those that this agent knows
//   RefreshSchedule     when they are to be got anew: ahead of their end, each agent at another moment
//   CredentialKeeper    asks the chain on a queue of its own, keeps the answer, and tells of changes
//   CredentialProvider  what a sender sees of that: the answer that is there now

/// Has the credentials of one identity at hand. Any thread.
public protocol CredentialProvider: Sendable {
    /// What is there now. Asked before each request: never waits for files, processes or services.
    func credentials() throws(CredentialError) -> Credentials

    /// The service refused these: where they are still the ones at hand, they are to be got anew.
    func invalidate(_ refused: Credentials)
}

/// One place that may have credentials, such as the environment.
///
/// Used by one thread at a time, which may be blocked: for some seconds, or a minute by a program.
public protocol CredentialSource: Sendable {
    /// Gets them anew.
    ///
    /// - Parameter now: The service's time, as near as it is known.
    /// - Returns: `nil` where the place has none, and the next one is to be asked.
    /// - Throws: Where it should have some, but they cannot be had; then no other place is asked, because
    ///   records would be sent as somebody else.
    func credentials(now: WallTime) throws(CredentialError) -> Credentials?

    /// Files that the answer is made of: once one of them is another or was changed, the place is asked again.
    var files: [String] { get }

    /// What was looked at and not found, for operators.
    var lookedAt: String { get }
}

extension CredentialSource {
    public var files: [String] { [] }
}

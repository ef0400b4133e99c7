// SPDX-License-Identifier: Apache-2.0

/// Places in order; the first one that has credentials gives them.
public struct CredentialChain: Sendable {
    /// What came of asking.
    struct Answer {
        let found: Result<Credentials, CredentialError>
        /// Of the places that were asked: a change of one of these may make another answer.
        let files: [String]
    }

    private let sources: [any CredentialSource]

    public init(_ sources: [any CredentialSource]) { self.sources = sources }

    /// Of all places.
    var files: [String] { sources.flatMap(\.files) }

    func ask(now: WallTime) -> Answer {
        var files: [String] = []
        do throws(CredentialError) {
            for source in sources {
                files += source.files
                guard let found = try source.credentials(now: now) else { continue }
                guard found.areWellFormed else {
                    throw .unusable(source: found.source, fault: "a key is empty or has characters that no key has")
                }
                return Answer(found: .success(found), files: files)
            }
            throw .notFound(lookedAt: sources.map(\.lookedAt))
        } catch {
            return Answer(found: .failure(error), files: files)
        }
    }
}

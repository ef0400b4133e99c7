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
                files += source.files.filter { !files.contains($0) }
                guard let found = try source.credentials(now: now) else { continue }
                guard found.areWellFormed else {
                    throw .unusable(source: found.source, fault: "a key is empty or has characters that no key has")
                }
                return Answer(found: .success(found), files: files)
            }
            // A profile is looked at for its role first and for the rest later, and told of once.
            var told: Set<String> = []
            throw .notFound(lookedAt: sources.map(\.lookedAt).filter { told.insert($0).inserted })
        } catch {
            return Answer(found: .failure(error), files: files)
        }
    }
}

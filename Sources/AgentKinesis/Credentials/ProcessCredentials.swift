// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// Credentials that a program writes, which a profile names with `credential_process`. Read 2026-11-25:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>.
struct ProcessCredentials: ProfileMethod {
    /// Which tools that sign a user on, or wait for a network, rarely need.
    var timeout: Duration = .seconds(60)

    func credentials(of profile: Profile, now: WallTime) throws(CredentialError) -> Credentials? {
        guard let line = profile.setting("credential_process") else { return nil }
        let words: [String]
        do throws(CommandWords.Malformed) {
            words = try CommandWords(line).words
        } catch {
            throw .unusable(
                source: "credential_process of profile '\(profile.name)'",
                fault: error.reason
            )
        }
        guard let program = words.first else {
            throw .unusable(
                source: "credential_process of profile '\(profile.name)'",
                fault: "it names no program"
            )
        }
        // Its arguments may be secrets.
        let source = "The credential process \(program) of the AWS profile '\(profile.name)'"
        let outcome: HelperProgram.Outcome
        do throws(HelperProgram.Fault) {
            outcome = try HelperProgram(words: words, timeout: timeout).run()
        } catch {
            throw .refused(source: source, fault: "it cannot be started: \(error.reason)")
        }
        if let fault = fault(of: outcome, words) { throw .refused(source: source, fault: fault) }
        guard let document = try? CredentialDocument(outcome.output) else {
            throw .refused(source: source, fault: "it wrote no JSON object")
        }
        guard document.version == 1 else {
            throw .refused(source: source, fault: "Version in its output is not 1")
        }
        return try document.credentials(source: source, token: "SessionToken")
    }

    /// `nil`: it ended well.
    private func fault(of outcome: HelperProgram.Outcome, _ words: [String]) -> String? {
        let what =
            switch outcome.end {
            case .exited(0): ""
            case .exited(let status): "it ended with exit status \(status)"
            case .killed(let signal): "it was ended by signal \(signal)"
            case .tookTooLong: "it did not end within \(timeout.wholeMilliseconds / 1000) s"
            case .wroteTooMuch: "it wrote more than \(HelperProgram.largestOutput >> 10) KiB"
            }
        if what.isEmpty { return nil }
        // Paths and names of options help, and are no secrets; all else that it was given or wrote may be one.
        let arguments = words.dropFirst().filter {
            $0.first != "/" && ($0.first != "-" || $0.contains("="))
        }
        let redaction = Redaction(
            secrets: arguments + [String(decoding: outcome.output, as: UTF8.self)]
        )
        let said = redaction.clean(
            String(decoding: outcome.complaints.suffix(Redaction.longestMessage), as: UTF8.self)
        )
        return said.isEmpty ? what : "\(what) and said: \(said)"
    }
}

// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

struct RetryDispositionTests {
    private func judge(_ status: Int, _ code: String = "", _ message: String = "") -> Disposition {
        Disposition(SendFailure(kind: .response, status: status, code: code, message: message))
    }

    @Test(arguments: [
        ("ProvisionedThroughputExceededException", Disposition.throttledDestination),
        ("ThrottlingException", .throttledDestination), ("KMSThrottlingException", .throttledDestination),
        ("LimitExceededException", .throttledDestination), ("SlowDown", .throttledDestination),
        ("InternalFailure", .endpoint), ("InternalFailureException", .endpoint), ("ServiceUnavailable", .endpoint),
        ("InternalServerError", .endpoint),
        ("ExpiredTokenException", .identity), ("UnrecognizedClientException", .identity),
        ("InvalidSignatureException", .identity), ("IncompleteSignature", .identity),
        ("MissingAuthenticationTokenException", .identity),
        ("RequestExpired", .clock), ("RequestTimeTooSkewed", .clock),
        ("ResourceNotFoundException", .destination), ("AccessDeniedException", .destination),
        ("KMSAccessDeniedException", .destination), ("KMSDisabledException", .destination),
        ("KMSInvalidStateException", .destination), ("KMSNotFoundException", .destination),
        ("KMSOptInRequired", .destination), ("OptInRequired", .destination),
        ("InvalidArgumentException", .record), ("ValidationException", .record), ("SerializationException", .record),
    ])
    func codesOfARequestSayWhoseFaultItIs(code: String, disposition: Disposition) {
        #expect(judge(400, code) == disposition)
    }

    @Test(arguments: [
        (429, Disposition.throttledDestination), (403, .destination), (401, .destination), (404, .destination),
        (413, .record), (400, .transient), (418, .transient), (500, .endpoint), (503, .endpoint), (302, .endpoint),
    ])
    func withoutAKnownCodeTheStatusDecides(status: Int, disposition: Disposition) {
        #expect(judge(status) == disposition)
        #expect(judge(status, "NeverHeardOfException") == disposition)
    }

    @Test func aSignatureOfAnotherTimeIsTheClocksFault() {
        #expect(judge(400, "InvalidSignatureException", "Signature expired: 1 is now earlier than 2") == .clock)
        #expect(judge(400, "InvalidSignatureException", "Signature not yet current: 1") == .clock)
        #expect(judge(400, "InvalidSignatureException", "The request signature does not match") == .identity)
    }

    @Test(arguments: [
        ("ProvisionedThroughputExceededException", Disposition.throttledKey), ("KMSThrottlingException", .throttledKey),
        ("InternalFailure", .endpoint), ("NeverHeardOf", .transient), ("", .transient),
        ("InvalidArgumentException", .record),
    ])
    func codesOfAnEntrySayWhatBecomesOfItsRecord(code: String, disposition: Disposition) {
        #expect(Disposition(entryCode: code) == disposition)
    }

    @Test func withoutAnAnswerNobodyIsBlamedButTheWay() {
        for kind in [SendFailure.Kind.connect, .transport, .unintelligible] {
            #expect(Disposition(SendFailure(kind: kind, message: "")) == .endpoint)
        }
        #expect(Disposition(SendFailure(kind: .noCredentials, message: "")) == .identity)
    }

    @Test func onlyWhatSomebodyMustRepairParks() {
        let parking: [Disposition] = [.identity, .clock, .destination, .record]
        let passing: [Disposition] = [.throttledKey, .throttledDestination, .transient, .endpoint]
        #expect(parking.allSatisfy(\.parks) && !passing.contains(where: \.parks))
    }

    @Test func everyFaultHasARemedy() {
        for disposition in [Disposition.identity, .clock, .destination, .record, .endpoint, .transient, .throttledKey] {
            for code in ["x", "ResourceNotFoundException", "KMSDisabledException", "no_credentials"] {
                #expect(!Fault(code: code, message: "", disposition: disposition, at: .zero).remedy.isEmpty)
            }
        }
    }
}

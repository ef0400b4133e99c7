// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

/// Every fault, and the part of its remedy that mends it.
struct RetryRemedyTests {
    private static func failure(
        _ kind: SendFailure.Kind,
        _ status: Int = 0,
        _ code: String = "",
        _ message: String = ""
    ) -> SendFailure {
        SendFailure(kind: kind, status: status, code: code, message: message)
    }

    private static let table: [(failure: SendFailure, code: String, remedy: String)] = [
        (failure(.noCredentials, 0, "no_credentials"), "no_credentials", "AWS_ACCESS_KEY_ID"),
        (failure(.connect), "unreachable", "route"),
        (failure(.connect, 0, "dns"), "dns", "name servers"),
        (failure(.connect, 0, "tls"), "tls", "TLS 1.2"),
        (failure(.connect, 0, "tls_certificate"), "tls_certificate", "aws.ca_file"),
        (failure(.connect, 0, "ca_file"), "ca_file", "PEM"),
        (failure(.connect, 0, "proxy"), "proxy", "https_proxy"),
        (failure(.connect, 0, "proxy_auth"), "proxy_auth", "password"),
        (failure(.connect, 0, "endpoint_url"), "endpoint_url", "Correct aws.endpoint"),
        (failure(.connect, 0, "invalid_region"), "invalid_region", "endpoint for the region"),
        (failure(.transport), "no_answer", "delivery.request_timeout"),
        (failure(.transport, 0, "cancelled"), "cancelled", "None needed"),
        (failure(.unintelligible, 200), "unintelligible_answer", "not Kinesis"),

        (failure(.foreign, 302), "http_302", "portal"),
        (failure(.foreign, 400), "http_400", "repeating does not change that"),
        (failure(.foreign, 401), "http_401", "allow the agent"),
        (failure(.foreign, 403), "http_403", "allow the agent"),
        (failure(.foreign, 404), "http_404", "correct aws.endpoint"),
        (failure(.foreign, 405), "http_405", "correct aws.endpoint"),
        (failure(.foreign, 407), "http_407", "user and password"),
        (failure(.foreign, 408), "http_408", "None needed if it passes"),
        (failure(.foreign, 411), "http_411", "delivery.max_batch_bytes"),
        (failure(.foreign, 413), "http_413", "delivery.max_batch_bytes"),
        (failure(.foreign, 417), "http_417", "no_proxy"), (failure(.foreign, 421), "http_421", "host name"),
        (failure(.foreign, 426), "http_426", "no_proxy"),
        (failure(.foreign, 429), "http_429", "rate limit of the proxy"),
        (failure(.foreign, 431), "http_431", "request headers"), (failure(.foreign, 511), "http_511", "Log in"),
        (failure(.foreign, 502), "http_502", "None needed if it passes"),
        (failure(.foreign, 503), "http_503", "None needed if it passes"),

        (
            failure(.response, 400, "ProvisionedThroughputExceededException"), "ProvisionedThroughputExceededException",
            "add shards"
        ),
        (failure(.response, 400, "ThrottlingException"), "ThrottlingException", "request quota"),
        (failure(.response, 400, "KMSThrottlingException"), "KMSThrottlingException", "KMS key"),
        (failure(.response, 500, "InternalFailure"), "InternalFailure", "None needed if it passes"),
        (failure(.response, 503, "ServiceUnavailable"), "ServiceUnavailable", "None needed if it passes"),
        (failure(.response, 400, "ExpiredTokenException"), "ExpiredTokenException", "Renew the agent's credentials"),
        (failure(.response, 403, "UnrecognizedClientException"), "UnrecognizedClientException", "access key"),
        (failure(.response, 403, "InvalidSignatureException"), "InvalidSignatureException", "secret key"),
        (
            failure(.response, 400, "InvalidSignatureException", "Signature expired: 1"), "InvalidSignatureException",
            "clock"
        ),
        (
            failure(.response, 403, "MissingAuthenticationTokenException"), "MissingAuthenticationTokenException",
            "proxy"
        ),
        (failure(.response, 400, "RequestExpired"), "RequestExpired", "clock"),
        (failure(.response, 400, "clock_learnt"), "clock_learnt", "None needed"),
        (failure(.response, 400, "ResourceNotFoundException"), "ResourceNotFoundException", "Create the stream"),
        (failure(.response, 400, "AccessDeniedException"), "AccessDeniedException", "kinesis:PutRecords"),
        (failure(.response, 400, "KMSAccessDeniedException"), "KMSAccessDeniedException", "kms:GenerateDataKey"),
        (failure(.response, 400, "KMSDisabledException"), "KMSDisabledException", "Enable"),
        (failure(.response, 400, "KMSInvalidStateException"), "KMSInvalidStateException", "about to be deleted"),
        (failure(.response, 400, "KMSNotFoundException"), "KMSNotFoundException", "that exists"),
        (failure(.response, 400, "KMSOptInRequired"), "KMSOptInRequired", "KMS key"),
        (failure(.response, 400, "InvalidArgumentException"), "InvalidArgumentException", "agentctl peek"),
        (failure(.response, 400, "NeverHeardOf"), "NeverHeardOf", "documentation"),
    ]

    @Test func eachFaultHasTheRemedyThatMendsIt() {
        for (failure, code, remedy) in Self.table {
            let fault = Fault(failure, disposition: Disposition(failure), at: .zero)
            #expect(fault.code == code)
            #expect(fault.remedy.contains(remedy), "\(code): \(fault.remedy)")
        }
    }

    /// Where the agent alone cannot mend it, doing nothing is no remedy.
    @Test func whatDoesNotPassByItselfIsNotSaidTo() {
        for status in [301, 400, 401, 403, 404, 405, 407, 411, 413, 417, 421, 426, 431, 505, 511] {
            let failure = Self.failure(.foreign, status)
            let remedy = Fault(failure, disposition: Disposition(failure), at: .zero).remedy
            #expect(!remedy.contains("None needed"), "\(status): \(remedy)")
            #expect(remedy.contains("events are kept"))
        }
    }

    @Test func whoSawTheFaultKnowsBest() {
        let failure = SendFailure(kind: .response, status: 400, code: "RequestExpired", message: "", advice: "Do this.")
        #expect(Fault(failure, disposition: .clock, at: .zero).remedy == "Do this.")
    }

    @Test func onlyWhatMayGetThroughInPiecesAsksForLess() {
        #expect(SendFailure(kind: .transport, message: "", isTimeout: true).asksForLess)
        #expect(SendFailure(kind: .foreign, status: 413, message: "").asksForLess)
        #expect(SendFailure(kind: .unintelligible, status: 200, message: "").asksForLess)
        for kind in [SendFailure.Kind.connect, .transport, .response, .foreign, .noCredentials] {
            #expect(!SendFailure(kind: kind, status: 503, message: "").asksForLess)
        }
    }

    @Test func whatAnsweredInKinesissPlaceIsBlamedOnTheWay() {
        for status in [400, 401, 403, 404, 413, 429, 500] {
            #expect(Disposition(Self.failure(.foreign, status)) == .endpoint)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import KinesisLocal

/// A request that botocore 1.43.11 signed with the key AKIDEXAMPLE / wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY at
/// 2026-01-02 03:04:05 UTC.
private struct Signed {
    static let seconds = UTC.seconds(year: 2026, month: 1, day: 2, hour: 3, minute: 4, second: 5)
    static let key = AccessKey(id: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")

    var headers = [
        "host": "kinesis.us-east-1.amazonaws.com",
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": "Kinesis_20131202.ListStreams",
        "x-amz-date": "20260102T030405Z",
        "authorization":
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/kinesis/aws4_request, "
            + "SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=6b746c6ab7bad921136321c7840f31b41f29a66b2a324fc2e38a14762a2a7617",
    ]
    var body = #"{"Limit":10}"#
    var uri = "/"

    func refusal(key: AccessKey = Signed.key, at seconds: Int64 = Signed.seconds) -> APIError? {
        var authenticator = Authenticator(key: key)
        var body = body
        return body.withUTF8 { payload in
            do throws(APIError) {
                try authenticator.check(
                    Authenticator.SignedRequest(
                        method: "POST",
                        uri: uri,
                        header: { headers[$0] },
                        payload: UnsafeRawBufferPointer(payload)
                    ),
                    clockSeconds: seconds
                )
                return nil
            } catch {
                return error
            }
        }
    }
}

@Suite struct AuthenticatorTests {
    @Test func takesWhatAnSDKSigned() {
        #expect(Signed().refusal() == nil)
    }

    @Test func takesItFiveMinutesEarlierAndLaterButNotMore() {
        #expect(Signed().refusal(at: Signed.seconds + 300) == nil)
        #expect(Signed().refusal(at: Signed.seconds - 300) == nil)
        #expect(
            Signed().refusal(at: Signed.seconds + 301)
                == APIError(
                    "InvalidSignatureException",
                    "Signature expired: 20260102T030405Z is now earlier than 20260102T030406Z (20260102T030906Z - 5 min.)"
                )
        )
        #expect(
            Signed().refusal(at: Signed.seconds - 301)
                == APIError(
                    "InvalidSignatureException",
                    "Signature not yet current: 20260102T030405Z is still later than 20260102T030404Z "
                        + "(20260102T025904Z + 5 min.)"
                )
        )
    }

    @Test func refusesAnyChange() {
        var body = Signed()
        body.body += " "
        #expect(body.refusal()?.code == "InvalidSignatureException")
        var header = Signed()
        header.headers["x-amz-target"] = "Kinesis_20131202.DeleteStream"
        #expect(header.refusal()?.code == "InvalidSignatureException")
        var uri = Signed()
        uri.uri = "/?x=1"
        #expect(uri.refusal()?.code == "InvalidSignatureException")
        #expect(
            Signed().refusal(key: AccessKey(id: "AKIDEXAMPLE", secret: "other"))?.code == "InvalidSignatureException"
        )
    }

    @Test func namesWhatIsMissing() {
        var none = Signed()
        none.headers["authorization"] = nil
        #expect(none.refusal()?.code == "MissingAuthenticationTokenException")
        var unknown = Signed()
        unknown.headers["authorization"] = unknown.headers["authorization"]?.replacing("AKIDEXAMPLE", with: "AKIDOTHER")
        #expect(unknown.refusal()?.code == "UnrecognizedClientException")
        var incomplete = Signed()
        incomplete.headers["authorization"] =
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/kinesis/aws4_request"
        #expect(incomplete.refusal()?.code == "IncompleteSignatureException")
        var undated = Signed()
        undated.headers["x-amz-date"] = nil
        #expect(undated.refusal()?.code == "IncompleteSignatureException")
        var service = Signed()
        service.headers["authorization"] = service.headers["authorization"]?.replacing("/kinesis/", with: "/s3/")
        #expect(service.refusal()?.code == "InvalidSignatureException")
    }

    @Test func aSessionTokenMustBeTheRightOne() {
        let key = AccessKey(id: Signed.key.id, secret: Signed.key.secret, sessionToken: "token")
        #expect(Signed().refusal(key: key)?.code == "UnrecognizedClientException")
        var other = Signed()
        other.headers["x-amz-security-token"] = "stale"
        #expect(other.refusal(key: key)?.code == "UnrecognizedClientException")
        other.headers["x-amz-security-token"] = "token"
        #expect(other.refusal(key: key) == nil)
    }
}

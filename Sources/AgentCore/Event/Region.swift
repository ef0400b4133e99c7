// SPDX-License-Identifier: Apache-2.0

/// The regions of AWS, from botocore's `partitions.json` (1.43.11, read 2026-11-25).
///
/// A region's name becomes part of a host's name and of a signature, so text from outside is checked here before
/// anything is made of it, and hosts come from this table or from the configuration only.
public enum Region {
    /// Whether `name` has the form of a region, as `us-east-1`, `us-gov-west-1` or `eusc-de-east-1`: lower-case words
    /// with a number after them, joined by hyphens. At most ``longestName`` bytes.
    public static func isWellFormed(_ name: some StringProtocol) -> Bool {
        var length = 0
        var words = 0
        var wordLength = 0
        var isNumber = false
        for byte in name.utf8 {
            length += 1
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z") where !isNumber: wordLength += 1
            case UInt8(ascii: "0")...UInt8(ascii: "9") where wordLength == 0 || isNumber:
                isNumber = true
                wordLength += 1
            case UInt8(ascii: "-") where wordLength > 0 && !isNumber:
                words += 1
                wordLength = 0
            default: return false
            }
        }
        return length <= longestName && (2...4).contains(words) && isNumber && (1...2).contains(wordLength)
    }

    /// The longest name so far has 14 bytes.
    public static let longestName = 32

    /// Whether this version knows the region. Newer ones can be used with an endpoint of their own.
    public static func isKnown(_ name: String) -> Bool { endpoints[name] != nil }

    /// The address of Kinesis in a region; `nil` for one that is not known.
    public static func publicEndpoint(of name: String) -> String? { endpoints[name] }

    /// All that are known, in the order of their names.
    public static var known: [String] { endpoints.keys.sorted() }

    private static let endpoints: [String: String] = {
        var endpoints: [String: String] = [:]
        for (domain, regions) in partitions {
            for region in regions.split(separator: " ") {
                endpoints[String(region)] = "https://kinesis.\(region).\(domain)"
            }
        }
        return endpoints
    }()

    private static let partitions: [(domain: String, regions: String)] = [
        (
            "amazonaws.com",
            """
            us-east-1 us-east-2 us-west-1 us-west-2 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 \
            eu-west-2 eu-west-3 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 \
            ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 \
            ca-central-1 ca-west-1 af-south-1 il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1 us-gov-east-1 \
            us-gov-west-1
            """
        ),
        ("amazonaws.com.cn", "cn-north-1 cn-northwest-1"),
        ("amazonaws.eu", "eusc-de-east-1"),
        ("c2s.ic.gov", "us-iso-east-1 us-iso-west-1"),
        ("sc2s.sgov.gov", "us-isob-east-1 us-isob-west-1"),
        ("cloud.adc-e.uk", "eu-isoe-west-1"),
        ("csp.hci.ic.gov", "us-isof-east-1 us-isof-south-1"),
    ]
}

// SPDX-License-Identifier: Apache-2.0

internal import CCurl

/// Request headers as libcurl wants them; libcurl does not copy the list.
final class HeaderList {
    private(set) var first: UnsafeMutablePointer<curl_slist>?

    init(_ headers: [(name: String, value: String)]) {
        for (name, value) in headers {
            // On failure the list is unchanged; the service then refuses the request for lack of the header.
            if let longer = curl_slist_append(first, "\(name): \(value)") { first = longer }
        }
    }

    deinit { curl_slist_free_all(first) }
}

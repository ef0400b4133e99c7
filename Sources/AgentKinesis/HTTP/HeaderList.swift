// SPDX-License-Identifier: Apache-2.0

internal import CCurl

/// Request headers as libcurl wants them; libcurl does not copy the list.
final class HeaderList {
    private(set) var first: UnsafeMutablePointer<curl_slist>?

    /// - Parameter without: Names of headers that libcurl is not to add by itself.
    init(_ headers: [(name: String, value: String)], without: [String] = []) {
        for (name, value) in headers { append("\(name): \(value)") }
        for name in without { append("\(name):") }
    }

    /// On failure the list is unchanged; the service then refuses the request for lack of the header.
    private func append(_ line: String) {
        if let longer = curl_slist_append(first, line) { first = longer }
    }

    deinit { curl_slist_free_all(first) }
}

// SPDX-License-Identifier: Apache-2.0

/// The Date header's text, made once a second.
final class DateHeader {
    private var seconds: Int64 = .min
    private var text = ""

    func value(_ now: Int64) -> String {
        if now != seconds {
            seconds = now
            text = UTC.http(seconds: now)
        }
        return text
    }
}

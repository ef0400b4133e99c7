// SPDX-License-Identifier: Apache-2.0
internal import AgentCore

/// Now, on both clocks, as the policy types take it.
struct Moment: Sendable {
    /// For windows, rates and waits.
    let monotonic: Instant
    /// Milliseconds since 1970: what records and signatures are stamped with.
    let wallMS: Int64
}

/// Calendar arithmetic in UTC, for the three forms of date that the protocol uses.
enum UTC {
    struct Parts: Equatable {
        var year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int
        /// 0 is Sunday.
        var weekday: Int
    }

    /// The civil date of a count of seconds since 1970, in the proleptic Gregorian calendar.
    static func parts(seconds: Int64) -> Parts {
        let days = Int((Double(seconds) / 86_400).rounded(.down))
        let rest = Int(seconds) - days * 86_400
        // Years that start in March put the leap day last; 400 of them are an era of 146 097 days.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return Parts(
            year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
            month: month,
            day: dayOfYear - (153 * marchMonth + 2) / 5 + 1,
            hour: rest / 3_600,
            minute: rest / 60 % 60,
            second: rest % 60,
            weekday: ((days + 4) % 7 + 7) % 7
        )
    }

    static func seconds(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        return Int64(days * 86_400 + hour * 3_600 + minute * 60 + second)
    }

    /// `20260807T120000Z`, as signatures are dated.
    static func compact(seconds: Int64) -> String {
        let p = parts(seconds: seconds)
        return padded(p.year, 4) + padded(p.month, 2) + padded(p.day, 2) + "T" + padded(p.hour, 2)
            + padded(p.minute, 2) + padded(p.second, 2) + "Z"
    }

    /// - Returns: `nil` where `text` has not the form of ``compact(seconds:)``.
    static func seconds(compact text: some StringProtocol) -> Int64? {
        let u = Array(text.utf8)
        guard u.count == 16, u[8] == UInt8(ascii: "T"), u[15] == UInt8(ascii: "Z") else { return nil }
        func number(_ range: Range<Int>) -> Int? {
            var value = 0
            for byte in u[range] {
                guard (48...57).contains(byte) else { return nil }
                value = value * 10 + Int(byte) - 48
            }
            return value
        }
        guard let year = number(0..<4), let month = number(4..<6), let day = number(6..<8),
            let hour = number(9..<11), let minute = number(11..<13), let second = number(13..<15),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
        else { return nil }
        return seconds(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
    }

    /// `Fri, 07 Aug 2026 12:00:00 GMT`, as the Date header has it (RFC 9110, 5.6.7).
    static func http(seconds: Int64) -> String {
        let p = parts(seconds: seconds)
        let day = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][p.weekday]
        let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][p.month - 1]
        return "\(day), \(padded(p.day, 2)) \(month) \(padded(p.year, 4)) "
            + "\(padded(p.hour, 2)):\(padded(p.minute, 2)):\(padded(p.second, 2)) GMT"
    }

    private static func padded(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

// SPDX-License-Identifier: Apache-2.0

/// The `Date` of replies (RFC 9110 section 6.6.1).
enum HTTPDate {
    /// The whole field with its line end, such as `Date: Sun, 06 Nov 1994 08:49:37 GMT`.
    /// - Parameter seconds: since 1970, not negative.
    static func field(_ seconds: Int) -> String {
        let (days, time) = seconds.quotientAndRemainder(dividingBy: 86_400)
        let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][days % 7]
        let (year, month, day) = civil(days)
        let name = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][month - 1]
        let clock = [time / 3600, time / 60 % 60, time % 60].map(twoDigits).joined(separator: ":")
        return "Date: \(weekday), \(twoDigits(day)) \(name) \(year) \(clock) GMT\r\n"
    }

    /// The date in the Gregorian calendar, of a day counted from 1 January 1970.
    ///
    /// Years are counted from March here, so that a leap day is a year's last; 400 of them are 146 097 days.
    private static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let ofEra = shifted % 146_097
        let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let fromMarch = (5 * ofYear + 2) / 153
        let month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, ofYear - (153 * fromMarch + 2) / 5 + 1)
    }

    private static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}

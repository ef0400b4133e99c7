// SPDX-License-Identifier: Apache-2.0

/// One event as an application might post it: JSON of a given size, in which two numbers are of fixed width, so that
/// they can be changed in place.
struct EventText {
    static let smallest = 64
    static let idDigits = 10
    static let userDigits = 8

    let bytes: [UInt8]
    /// Where the digits of the event's own number begin.
    let idOffset: Int
    /// Where the digits of the user begin; the user, with the `u-` before it, is the partition key.
    let userOffset: Int

    /// - Parameter size: ``smallest`` or more, in bytes.
    init(size: Int) {
        precondition(size >= Self.smallest)
        let id = #"{"id":""# + String(repeating: "0", count: Self.idDigits)
        let user = #"","user":"u-"# + String(repeating: "0", count: Self.userDigits)
        let members =
            #"","type":"item_viewed","at":"2026-03-14T09:26:53.589Z","session":{"device":"phone","visits":17},"#
            + #""price":24.95,"new":false,"path":"/catalogue/lamps/4711?ref=mail"#
        let note = #"","note":""#
        let end = #""}"#
        let core = id.utf8.count + user.utf8.count + note.utf8.count + end.utf8.count
        let middle = core + members.utf8.count <= size ? members : ""
        var text = Array((id + user + middle + note).utf8)
        let words = Array("a desk lamp of brass and green glass, bought twice and returned once; ".utf8)
        for index in 0..<(size - text.count - end.utf8.count) { text.append(words[index % words.count]) }
        bytes = text + Array(end.utf8)
        idOffset = id.utf8.count - Self.idDigits
        userOffset = id.utf8.count + user.utf8.count - Self.userDigits
    }

    static let userPointer = "/user"
}

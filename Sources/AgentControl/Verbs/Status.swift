// SPDX-License-Identifier: Apache-2.0

/// How agentd is.
public struct StatusRequest: ControlVerb {
    public typealias Answer = StatusReport

    public static let verb = "status"
    public static let isShared = true

    public var lane: ControlLane { .shared }
    public var patience: Duration { .seconds(10) }

    public init() {}

    public init(reading arguments: ControlArguments) throws(ControlError) {}

    /// There may be thousands of streams: see ``JSONWriter``.
    public static func line(_ answer: Result<StatusReport, ControlError>) -> [UInt8] {
        guard case .success(let report) = answer else { return ControlProtocol.encode(answer) }
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("ok")
            report.write(to: &writer)
            writer.member("v", ControlProtocol.version)
        }
        return writer.bytes + [UInt8(ascii: "\n")]
    }
}

extension ControlClient {
    /// - Parameter patience: how long to wait for the answer; `nil`: as long as it may take.
    public func status(patience: Duration? = nil) throws(ControlFailure) -> StatusReport {
        try ask(StatusRequest(), patience: patience)
    }
}

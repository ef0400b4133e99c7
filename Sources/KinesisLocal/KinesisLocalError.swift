// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// Why the server cannot start, or not go on.
public enum KinesisLocalError: Error, CustomStringConvertible, Sendable {
    case bind(host: String, port: Int, reason: String)
    case journal(path: String, errno: Int32)
    case faultsUnreadable(path: String, reason: String)
    case faultsInvalid(reason: String)
    case stream(name: String, reason: String)

    public var description: String {
        switch self {
        case .bind(let host, let port, let reason):
            "Cannot listen on \(host):\(port): \(reason). Choose another port, or 0 for any free one."
        case .journal(let path, let errno):
            "Cannot write the journal \(path): \(String(cString: strerror(errno))). Check the path and the disk."
        case .faultsUnreadable(let path, let reason):
            "Cannot read the faults in \(path): \(reason). Give a file with a JSON array of rules."
        case .faultsInvalid(let reason): "A fault rule is not valid: \(reason)."
        case .stream(let name, let reason): "Cannot make the stream \(name): \(reason)"
        }
    }
}

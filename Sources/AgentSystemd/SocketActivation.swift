// SPDX-License-Identifier: Apache-2.0

internal import CSystemd
internal import Glibc

/// A listening socket that the service manager made and handed over: sd_listen_fds(3).
public struct ActivatedSocket: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// A listening stream socket in the file system.
        case unix
        /// A listening stream socket over IPv4 or IPv6.
        case internet
        /// Of no use here.
        case other
    }

    /// Open, close-on-exec, and owned by the receiver.
    public let descriptor: Int32
    /// `FileDescriptorName=` of the socket unit; its file name where there is none.
    public let name: String
    public let kind: Kind

    public init(descriptor: Int32, name: String, kind: Kind) {
        self.descriptor = descriptor
        self.name = name
        self.kind = kind
    }
}

public enum SocketActivation {
    /// The sockets handed over to this process. Call it once, before there are other threads: it takes the variables
    /// that announce them out of the environment, so that no child believes to have them.
    ///
    /// - Returns: empty where there are none, or where what is announced is not open.
    public static func take() -> [ActivatedSocket] {
        var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        let count = sd_listen_fds_with_names(1, &names)
        defer {
            if let names, count > 0 {
                for index in 0..<Int(count) { free(names[index]) }
            }
            free(names)
        }
        guard count > 0 else { return [] }
        return (0..<count).map { index in
            // SD_LISTEN_FDS_START, a macro that Swift does not import, is 3.
            let descriptor = 3 + index
            let name = names?[Int(index)].map { String(cString: $0) } ?? ""
            return ActivatedSocket(descriptor: descriptor, name: name, kind: kind(of: descriptor))
        }
    }

    static func kind(of descriptor: Int32) -> ActivatedSocket.Kind {
        let stream = Int32(SOCK_STREAM.rawValue)
        if sd_is_socket(descriptor, AF_UNIX, stream, 1) > 0 { return .unix }
        if sd_is_socket(descriptor, AF_INET, stream, 1) > 0 || sd_is_socket(descriptor, AF_INET6, stream, 1) > 0 {
            return .internet
        }
        return .other
    }
}

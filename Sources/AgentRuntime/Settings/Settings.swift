// SPDX-License-Identifier: Apache-2.0

// What an operator can set, as the program uses it: checked, in native units, with nothing left to look up.
//
//     agent.conf ──SettingsDocument──▶ values and their places ──SettingKey──▶ Settings, or every fault of the file
//
// The initial value of each property is the default, and there is no other place for it. `SettingKey.all` and
// `SettingKey.ofStream` name each property once more, with what may be written for it and what it means; reading,
// range checks, hints for misspelt names and agent.conf.example all follow from these lists.

/// The settings of an agent. Sizes are in bytes.
public struct Settings: Sendable, Equatable {
    public internal(set) var queue = Queue()
    public internal(set) var listen = Listen()
    public internal(set) var delivery = Delivery()
    public internal(set) var aws = AWS()
    public internal(set) var streams = Streams()
    public internal(set) var log = Log()
    /// In the order of the file; no two with the same name and region.
    public internal(set) var stream: [Stream] = []

    /// The defaults, without any stream.
    public init() {}

    public struct Queue: Sendable, Equatable {
        public internal(set) var path = "/var/lib/agentd/queue.db"
        public internal(set) var maxBytes = 4 << 30
        public internal(set) var minFreeDisk = 256 << 20
        public internal(set) var whenFull = WhenFull.reject
        /// Zero: events are kept until they are delivered.
        public internal(set) var maxAge = Duration.zero
        public internal(set) var durability = Durability.full
        public internal(set) var deadLetterMaxBytes = 256 << 20
    }

    public enum WhenFull: String, Sendable, CaseIterable {
        case reject
        case dropOldest = "drop-oldest"
    }

    public enum Durability: String, Sendable, CaseIterable {
        case full, normal
    }

    public enum KinesisAPI: String, Sendable, CaseIterable {
        case buffer, deliver
    }

    public struct Listen: Sendable, Equatable {
        /// `nil`: no TCP.
        public internal(set) var http: ListenAddress? = ListenAddress(host: "127.0.0.1", port: 8077)
        /// Empty: no Unix socket.
        public internal(set) var socket = "/run/agentd/ingest.sock"
        public internal(set) var controlSocket = "/run/agentd/control.sock"
        public internal(set) var maxEventBytes = 1 << 20
        public internal(set) var maxRequestBytes = 16 << 20
        public internal(set) var maxConnections = 1024
        public internal(set) var idleTimeout = Duration.seconds(75)
        public internal(set) var memory = 16 << 20
        public internal(set) var putWait = Duration.seconds(5)
        public internal(set) var kinesisAPI = KinesisAPI.buffer
        /// Names besides loopback ones that a `Host` header may have; lower case, without port.
        public internal(set) var allowedHosts: [String] = []
        /// Origins, such as `https://app.example.com`, whose pages may post.
        public internal(set) var allowedOrigins: [String] = []
    }

    public struct Delivery: Sendable, Equatable {
        public internal(set) var workers = 8
        public internal(set) var linger = Duration.milliseconds(50)
        public internal(set) var maxBatchBytes = 1 << 20
        public internal(set) var memory = 12 << 20
        public internal(set) var connectTimeout = Duration.seconds(5)
        public internal(set) var requestTimeout = Duration.seconds(30)
        public internal(set) var stopTimeout = Duration.seconds(10)
    }

    public struct AWS: Sendable, Equatable {
        public internal(set) var region = "us-east-1"
        /// `http://` or `https://`, host and port, without a slash at its end; empty: AWS's own.
        public internal(set) var endpoint = ""
        /// Empty: the system's certificate authorities.
        public internal(set) var caFile = ""
        /// Empty: `AWS_PROFILE`, then `default`.
        public internal(set) var profile = ""
    }

    public struct Streams: Sendable, Equatable {
        public internal(set) var accept = Accept.listed
        public internal(set) var maxDestinations = 256
        /// `name` or `name@region`; empty: none.
        public internal(set) var `default` = ""
    }

    public enum Accept: String, Sendable, CaseIterable {
        case listed, any
    }

    public struct Log: Sendable, Equatable {
        public internal(set) var level = LogLevel.info
    }

    public enum LogLevel: String, Sendable, CaseIterable {
        case trace, debug, info, notice, warning, error
    }

    /// One `[[stream]]`.
    public struct Stream: Sendable, Equatable {
        public internal(set) var name = ""
        /// Never empty in loaded settings: `aws.region` where the file gives none.
        public internal(set) var region = ""
        public internal(set) var endpoint = ""
        public internal(set) var ordering = Ordering.key
        public internal(set) var aggregation = Aggregation.off
        /// A JSON Pointer; empty: none.
        public internal(set) var partitionKey = ""
        /// Zero: no limit of its own.
        public internal(set) var maxBytes = 0
        /// Data plus partition key.
        public internal(set) var maxRecordBytes = 1 << 20

        public init() {}
    }

    public enum Ordering: String, Sendable, CaseIterable {
        case key, none
    }

    public enum Aggregation: String, Sendable, CaseIterable {
        case off
    }
}

/// Where HTTP is listened for.
public struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// An IPv4 or IPv6 address without brackets, or `localhost`.
    public let host: String
    /// 0...65535; 0: any that is free.
    public let port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    public var description: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

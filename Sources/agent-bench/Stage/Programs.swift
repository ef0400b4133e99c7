// SPDX-License-Identifier: Apache-2.0

/// Where the programs are that a benchmark starts.
struct Programs {
    let agentd: String
    let kinesisLocal: String
}

/// What the agent is told to do differently from its defaults.
struct AgentSettings {
    var stream = "bench"
    var shards = 4
    var durability = "full"
    var ordering = "key"
    /// Where events have their partition key; empty: nowhere.
    var keyPointer = ""
    /// Beside the stream.
    var sick: SickStreams?
    var others: [NumberedStreams] = []

    /// - Parameter directory: Holds the queue and the sockets.
    func configuration(in directory: ScratchDirectory, httpPort: UInt16, kinesisPort: UInt16) -> String {
        """
        [queue]
        path = "\(directory.file("queue.db"))"
        max_bytes = "64 GiB"
        durability = "\(durability)"

        [listen]
        http = "127.0.0.1:\(httpPort)"
        socket = "\(directory.file("ingest.sock"))"
        control_socket = "\(directory.file("control.sock"))"

        [aws]
        region = "us-east-1"
        endpoint = "http://127.0.0.1:\(kinesisPort)"

        [log]
        level = "warning"

        [[stream]]
        name = "\(stream)"
        ordering = "\(ordering)"
        partition_key = "\(keyPointer)"

        """ + (sick?.configuration ?? "") + others.map(\.configuration).joined()
    }
}

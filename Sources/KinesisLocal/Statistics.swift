// SPDX-License-Identifier: Apache-2.0

/// What the server counted since it started.
struct Statistics {
    var connectionsOpen = 0
    var connectionsTotal = 0
    var connectionsRefused = 0
    /// By operation; requests without a known one under `unknown`.
    var requests: [String: Int] = [:]
    /// Whole requests refused, by error code.
    var refusedRequests: [String: Int] = [:]
    /// Entries of PutRecords refused, by error code.
    var refusedRecords: [String: Int] = [:]
    var acceptedRecords = 0
    var acceptedBytes = 0
    /// Answers that were withheld or damaged by a fault, by its action.
    var spoiledAnswers: [String: Int] = [:]

    func write(into json: inout JSONText, streams: [LocalStream], untold: Int) {
        json.object {
            $0.name("connections")
            $0.object {
                $0.member("open", connectionsOpen)
                $0.member("total", connectionsTotal)
                $0.member("refused", connectionsRefused)
            }
            $0.name("requests")
            Self.write(requests, into: &$0)
            $0.name("refused_requests")
            Self.write(refusedRequests, into: &$0)
            $0.name("refused_records")
            Self.write(refusedRecords, into: &$0)
            $0.name("spoiled_answers")
            Self.write(spoiledAnswers, into: &$0)
            $0.member("accepted_records", acceptedRecords)
            $0.member("accepted_bytes", acceptedBytes)
            $0.member("unanswered_records", untold)
            $0.name("streams")
            $0.array {
                for stream in streams {
                    $0.object {
                        $0.member("name", stream.name)
                        $0.member("accepted_records", stream.shards.reduce(0) { $0 + $1.accepted })
                        $0.name("shards")
                        $0.array {
                            for shard in stream.shards {
                                $0.object {
                                    $0.member("id", shard.id)
                                    $0.member("open", shard.isOpen)
                                    $0.member("accepted_records", shard.accepted)
                                    $0.member("throttled_records", shard.throttled)
                                    $0.member("calls", shard.calls)
                                    $0.member("kept_records", shard.log.count)
                                    $0.member("kept_bytes", shard.log.bytes)
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private static func write(_ counts: [String: Int], into json: inout JSONText) {
        json.object {
            for (name, count) in counts.sorted(by: { $0.key < $1.key }) { $0.member(name, count) }
        }
    }
}

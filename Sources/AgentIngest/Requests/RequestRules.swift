// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// What events need to know of their stream: less than the directory says, because requests keep it.
struct EventTarget {
    let id: DestinationID
    let maxRecordBytes: Int
    let partitionKeyPointer: JSONPointer?

    init(_ target: StreamTarget) {
        id = target.id
        maxRecordBytes = target.maxRecordBytes
        partitionKeyPointer = target.partitionKeyPointer
    }
}

/// The settings and the directory, as the requests of one event loop need them.
final class RequestRules {
    let directory: any StreamDirectory
    let maxEventBytes: Int
    let maxRequestBytes: Int
    let defaultStream: StreamReference?
    let kinesisAPI: KinesisAPIMode
    /// What was asked for last, in the configured region: mostly all clients post to the same stream.
    private var last: (stream: String, target: EventTarget)?

    init(_ settings: IngestSettings, _ directory: any StreamDirectory) {
        self.directory = directory
        maxEventBytes = settings.maxEventBytes
        maxRequestBytes = settings.maxRequestBytes
        defaultStream = settings.defaultStream
        kinesisAPI = settings.kinesisAPI
    }

    /// One for each 256 bytes of the largest body: about what an event costs beside its data, until it is stored.
    var maxEvents: Int { max(maxRequestBytes / 256, 1) }

    func target(_ stream: String, _ region: String?) throws(Refusal) -> EventTarget {
        if region == nil, let last, last.stream == stream { return last.target }
        do {
            let target = EventTarget(try directory.target(stream: stream, region: region))
            if region == nil { last = (stream, target) }
            return target
        } catch {
            throw Refusal(error)
        }
    }
}

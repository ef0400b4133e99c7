// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import Glibc

/// What kinesis-local says of itself, and what it is told to do wrong.
struct KinesisFigures {
    struct Statistics: Decodable {
        struct Stream: Decodable {
            let name: String
            let acceptedRecords: Int
            let shards: [Shard]
        }

        struct Shard: Decodable {
            let acceptedRecords: Int
            let throttledRecords: Int
        }

        let acceptedRecords: Int
        /// By operation.
        let requests: [String: Int]
        let streams: [Stream]
    }

    let process: pid_t
    let port: UInt16

    /// Records since its start.
    func accepted() throws(BenchError) -> Int { try statistics("?streams=none").acceptedRecords }

    /// Requests of clients since its start.
    func requests() throws(BenchError) -> Int { try statistics("?streams=none").requests.values.reduce(0, +) }

    /// Of all streams, by name; with thousands of them this takes it a while.
    func streams() throws(BenchError) -> [String: Statistics.Stream] {
        Dictionary(try statistics("").streams.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    func clearFaults() throws(BenchError) { _ = try ask("DELETE", "/_control/faults") }

    private func statistics(_ query: String) throws(BenchError) -> Statistics {
        let answer = try ask("GET", "/_control/stats" + query)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        guard let bodyStart = answer.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound,
            let statistics = try? decoder.decode(Statistics.self, from: Data(answer[bodyStart...]))
        else { throw .unintelligible(from: "kinesis-local", String(decoding: answer.prefix(512), as: UTF8.self)) }
        return statistics
    }

    private func ask(_ method: String, _ path: String) throws(BenchError) -> [UInt8] {
        let address = Address.tcp(host: "127.0.0.1", port: port)
        let descriptor = try address.connect()
        defer { close(descriptor) }
        var patience = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let request = Array("\(method) \(path) HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n\r\n".utf8)
        guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
            throw .system(call: "write", object: "to kinesis-local", errno: errno)
        }
        var answer: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = recv(descriptor, &block, block.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system(call: "read", object: "from kinesis-local", errno: errno) }
            if count == 0 { return answer }
            answer += block[..<count]
        }
    }
}

// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import Glibc

/// What kinesis-local says of itself.
struct KinesisFigures {
    private struct Statistics: Decodable {
        let acceptedRecords: Int
    }

    let process: pid_t
    let port: UInt16

    /// Records since its start.
    func accepted() throws(BenchError) -> Int {
        let answer = try get("/_control/stats")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        guard let bodyStart = answer.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound,
            let statistics = try? decoder.decode(Statistics.self, from: Data(answer[bodyStart...]))
        else { throw .unintelligible(from: "kinesis-local", String(decoding: answer.prefix(512), as: UTF8.self)) }
        return statistics.acceptedRecords
    }

    private func get(_ path: String) throws(BenchError) -> [UInt8] {
        let address = Address.tcp(host: "127.0.0.1", port: port)
        let descriptor = try address.connect()
        defer { close(descriptor) }
        var patience = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let request = Array("GET \(path) HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n\r\n".utf8)
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

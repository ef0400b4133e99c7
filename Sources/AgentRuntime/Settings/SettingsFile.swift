// SPDX-License-Identifier: Apache-2.0

internal import Glibc

extension Settings {
    /// The largest configuration file that is read, in bytes.
    static let largestFile = 4 << 20

    /// Reads and checks a configuration file. Opens nothing but that file.
    ///
    /// - Throws: everything that is wrong with it, or why it cannot be read.
    public static func load(path: String) throws(SettingsFaults) -> Settings {
        func fault(_ message: String) -> SettingsFaults {
            SettingsFaults(faults: [SettingsFault(file: path, place: nil, message: message)])
        }
        // Without waiting for the other end of what may be a pipe.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard file >= 0 else { throw fault("cannot be opened: \(systemMessage(errno))") }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw fault("cannot be read: \(systemMessage(errno))") }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw fault(status.st_mode & S_IFMT == S_IFDIR ? "is a folder, not a file" : "is not a regular file")
        }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(file, &block, block.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw fault("cannot be read: \(systemMessage(errno))") }
            if count == 0 { break }
            bytes += block[..<count]
            guard bytes.count <= largestFile else {
                throw fault("is larger than \(SettingUnits.text(size: largestFile)): not a configuration file")
            }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw fault("is not UTF-8 text") }
        return try parse(text, file: path)
    }

    /// What is doubtful about them although they are valid.
    public var warnings: [SettingsWarning] {
        guard stream.isEmpty, streams.accept == .listed else { return [] }
        return [
            SettingsWarning(
                code: "no_streams",
                message: "No stream is listed, and streams.accept is \"listed\": every event will be refused.",
                remedy: "Add a [[stream]] with a name, or set streams.accept = \"any\"."
            )
        ]
    }

    /// Checks a configuration's text; `file` is what faults call it.
    public static func parse(_ text: String, file: String) throws(SettingsFaults) -> Settings {
        try SettingsReader.read(text, file: file)
    }
}

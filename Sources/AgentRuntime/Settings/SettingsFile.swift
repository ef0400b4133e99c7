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
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw fault("cannot be opened: \(String(cString: strerror(errno)))") }
        defer { close(file) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(file, &block, block.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw fault("cannot be read: \(String(cString: strerror(errno)))") }
            if count == 0 { break }
            bytes += block[..<count]
            guard bytes.count <= largestFile else {
                throw fault("is larger than \(SettingUnits.text(size: largestFile)): not a configuration file")
            }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw fault("is not UTF-8 text") }
        return try parse(text, file: path)
    }

    /// Checks a configuration's text; `file` is what faults call it.
    public static func parse(_ text: String, file: String) throws(SettingsFaults) -> Settings {
        try SettingsReader.read(text, file: file)
    }
}

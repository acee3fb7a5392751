// COLD. Files with keys and certificates, read whole.
import Glibc

/// Reads files that the configuration names.
enum MaterialFile {
    /// Why a file could not be read.
    struct Problem: Error {
        var text: String
    }

    /// The whole file, unless it is larger than `limit` bytes.
    static func read(_ path: String, limit: Int) -> Result<[UInt8], Problem> {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            return .failure(Problem(text: "cannot read \(path): \(String(cString: strerror(errno)))"))
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        while bytes.count <= limit {
            var got = 0
            let part = [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
                got = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                count = max(0, got)
            }
            if got < 0, errno == EINTR { continue }
            // What is cut off must not look whole.
            guard got >= 0 else {
                return .failure(Problem(text: "cannot read \(path): \(String(cString: strerror(errno)))"))
            }
            if part.isEmpty { return .success(bytes) }
            bytes += part
        }
        return .failure(Problem(text: "\(path) is larger than \(limit >> 20) MiB"))
    }
}

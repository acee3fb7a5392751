// COLD. Reading a users file whole, and replacing it at once, with mode and owner kept. Blocking.
import Glibc

/// Files.
enum LocalFile {
    /// Longest wait for somebody else's change.
    private static let lockAttempts = 250
    private static let lockPause: useconds_t = 20_000

    /// All bytes of a file of at most `limit`, and what the file is.
    static func read(_ path: String, limit: Int) throws(UserFileError) -> ([UInt8], stat) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure(path, "cannot be read") }
        defer { _ = close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(path, "cannot be read") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw UserFileError(path, "is not a file") }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= limit {
            let count = Glibc.read(descriptor, &part, part.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure(path, "cannot be read") }
            if count == 0 { return (bytes, status) }
            bytes += part[..<count]
        }
        throw UserFileError(path, "is larger than \(limit >> 20) MiB")
    }

    /// Runs `body` while nobody else who asks does so for a file of this folder.
    ///
    /// The lock is on the folder: the file itself is replaced, and a lock on it would go with it.
    static func locked<Value>(
        _ path: String,
        _ body: () throws(UserFileError) -> Value
    ) throws(UserFileError) -> Value {
        let folder = self.folder(of: path)
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path, "cannot be changed: folder \(folder)") }
        defer { _ = close(descriptor) }
        var attempts = 0
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else { throw failure(path, "cannot be locked") }
            attempts += 1
            guard attempts < lockAttempts else { throw UserFileError(path, "is being changed by somebody else") }
            usleep(lockPause)
        }
        return try body()
    }

    /// Whether ``replace(_:with:like:)`` would do for this process: it needs the folder, and must keep the owner.
    static func isReplaceable(_ path: String, _ status: stat) -> Bool {
        let path = resolved(path)
        return access(folder(of: path), W_OK | X_OK) == 0 && (geteuid() == 0 || status.st_uid == geteuid())
    }

    /// Puts `bytes` in place of the file at `path` (of `status`; nil: there is none, mode 0600): all or nothing, and on
    /// the disk before it returns.
    static func replace(_ path: String, with bytes: [UInt8], like status: stat?) throws(UserFileError) {
        let folder = self.folder(of: path)
        let suffix = (Digest.random(6) ?? []).map { String($0, radix: 36) }.joined()
        let temporary = "\(folder)/.\(path.split(separator: "/").last ?? "users").\(suffix)"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure(path, "cannot be changed") }
        defer { _ = close(descriptor) }
        do throws(UserFileError) {
            try write(bytes, to: descriptor, path)
            if let status {
                var own = stat()
                let isSame = fstat(descriptor, &own) == 0 && own.st_uid == status.st_uid && own.st_gid == status.st_gid
                // The owner first: it may take bits of the mode away.
                guard isSame || fchown(descriptor, status.st_uid, status.st_gid) == 0,
                    fchmod(descriptor, status.st_mode & 0o7777) == 0
                else { throw failure(path, "cannot be changed: its owner cannot be kept") }
            }
            guard fsync(descriptor) == 0 else { throw failure(path, "cannot be written") }
            guard rename(temporary, path) == 0 else { throw failure(path, "cannot be replaced") }
        } catch {
            _ = unlink(temporary)
            throw error
        }
        let parent = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard parent >= 0 else { return }
        _ = fsync(parent)
        _ = close(parent)
    }

    /// Where a link leads, whether or not there is a file yet; else the path itself.
    static func resolved(_ path: String) -> String {
        var path = path
        for _ in 0..<8 {
            if let real = realpath(path, nil) {
                defer { free(real) }
                return String(cString: real)
            }
            var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
            let count = target.withUnsafeMutableBytes { buffer in
                buffer.baseAddress.map { readlink(path, $0.assumingMemoryBound(to: CChar.self), buffer.count) } ?? -1
            }
            guard count > 0 else { return path }
            let next = String(decoding: target[..<count], as: UTF8.self)
            path = next.hasPrefix("/") ? next : "\(folder(of: path))/\(next)"
        }
        return path
    }

    private static func write(_ bytes: [UInt8], to descriptor: CInt, _ path: String) throws(UserFileError) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.write(descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure(path, "cannot be written") }
            done += count
        }
    }

    private static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }

    private static func failure(_ path: String, _ what: String) -> UserFileError {
        UserFileError(path, "\(what): \(String(cString: strerror(errno)))")
    }
}

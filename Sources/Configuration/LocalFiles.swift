// COLD. The file system as the configuration sees it.
import Glibc
import Settings

/// The files of this machine.
struct LocalFiles: FileAccess {
    func read(_ path: String, limit: Int) -> Result<[UInt8], FileProblem> {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return .failure(Self.problem(errno)) }
        defer { _ = close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return .failure(Self.problem(errno)) }
        let kind = status.st_mode & S_IFMT
        if kind == S_IFDIR { return .failure(FileProblem("is a directory")) }
        if kind != S_IFREG, kind != S_IFIFO { return .failure(FileProblem("is not a file")) }
        var bytes: [UInt8] = []
        while bytes.count <= limit {
            let start = bytes.count
            bytes.append(contentsOf: repeatElement(0, count: min(65_536, limit + 1 - start)))
            let count = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(descriptor, buffer.baseAddress?.advanced(by: start), buffer.count - start)
            }
            bytes.removeLast(bytes.count - start - max(0, count))
            if count < 0, errno == EINTR { continue }
            // What comes out of another command may take a moment.
            if count < 0, errno == EAGAIN, Self.hasMore(descriptor) { continue }
            if count < 0 { return .failure(Self.problem(errno)) }
            if count == 0 { return .success(bytes) }
        }
        return .failure(FileProblem("is larger than \(ByteCount(limit).settingText?.flow ?? "\(limit) bytes")"))
    }

    /// Waits for the other end of a pipe.
    private static func hasMore(_ descriptor: Int32) -> Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, 5000) > 0
    }

    func problem(reading path: String) -> FileProblem? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return Self.problem(errno) }
        defer { _ = close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return Self.problem(errno) }
        return status.st_mode & S_IFMT == S_IFDIR ? FileProblem("is a directory") : nil
    }

    func problem(creating path: String) -> FileProblem? {
        var status = stat()
        if stat(path, &status) == 0 {
            return status.st_mode & S_IFMT == S_IFDIR ? FileProblem("is a directory") : nil
        }
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        guard stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            return FileProblem("cannot be made: there is no folder \(Spelling.quoted(folder))")
        }
        return nil
    }

    func isReadableByEverybody(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IROTH != 0
    }

    private static func problem(_ code: CInt) -> FileProblem {
        switch code {
        case ENOENT, ENOTDIR: FileProblem("does not exist")
        case EACCES, EPERM: FileProblem("may not be read by this user")
        default: FileProblem("cannot be read: \(String(cString: strerror(code)))")
        }
    }
}

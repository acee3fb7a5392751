// COLD. The file of the audit log: opened so that the chain in it goes on, written whole groups at a time.
import Bytes
import Glibc
import Reactor

/// Why the audit log does not take a line; the line may or may not be in the file.
public enum AuditLogError: Error, Sendable, Equatable {
    /// Too many lines wait.
    case full
    /// The file could not be written.
    case failed
    /// The log was closed.
    case closed
}

/// Why the audit log's file cannot be used.
public struct AuditFileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A sentence with the file's name.
    public let description: String
}

/// What became of a group of lines.
enum AuditOutcome {
    /// On the disk.
    case written
    /// Perhaps not in the file.
    case failed
    /// Not in the file, which is no longer the one of this name.
    case moved
}

/// An open file at the end of its chain; used by one thread.
///
/// Several processes may write one chain: each locks the file for one group of lines and first reads what others added.
// Exception to plain Sendable: made on one thread and handed to the writer's once, before that begins.
struct AuditFile: @unchecked Sendable {
    private let path: String
    private(set) var descriptor: Int32
    private(set) var link: AuditLink
    /// A broken end, for a `recovered` line.
    private(set) var torn: [UInt8]?
    private var needsLineEnd = false
    private var timestamp = Timestamp()
    private let isRegular: Bool
    private var length: off_t

    /// Opens or makes the file (mode 0600) and finds the end of its chain.
    ///
    /// - Parameters:
    ///   - path: the file, or `/dev/stdout`.
    ///   - link: where the chain goes on in a file that is empty, as after a rotation.
    /// - Throws: ``AuditFileError``, and leaves the file as it is.
    init(path: String, continuing link: AuditLink = .first) throws(AuditFileError) {
        self.path = path
        self.link = link
        let name = path == "stdout" || path == "-" ? "/dev/stdout" : path
        descriptor =
            name == "/dev/stdout"
            ? fcntl(1, F_DUPFD_CLOEXEC, 3) : open(name, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.error("\(path): cannot be opened") }
        var status = stat()
        isRegular = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && name != "/dev/stdout"
        length = isRegular ? status.st_size : 0
        guard isRegular else { return }
        guard lock() else {
            close()
            throw AuditFileError(description: "\(path): another process keeps this audit log locked")
        }
        do throws(AuditFileError) {
            try catchUp(from: 0)
        } catch {
            close()
            throw error
        }
        unlock()
    }

    private static func error(_ text: String) -> AuditFileError {
        AuditFileError(description: "\(text): \(String(cString: strerror(errno)))")
    }

    /// Gives the descriptor back; it is not used afterwards.
    mutating func close() {
        timestamp.deallocate()
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    // MARK: Together with others

    /// How long another process may take for its group of lines, in milliseconds.
    private static let patience = 2000

    /// Keeps other processes from writing; false when one of them does not let go.
    func lock() -> Bool {
        guard isRegular else { return true }
        for _ in 0..<Self.patience {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
            guard errno == EWOULDBLOCK || errno == EINTR else { return false }
            usleep(1000)
        }
        return false
    }

    /// Lets other processes write again.
    func unlock() { if isRegular { flock(descriptor, LOCK_UN) } }

    /// Goes to the end of what others have added; the file is locked.
    mutating func catchUp() throws(AuditFileError) { try catchUp(from: length) }

    private mutating func catchUp(from known: off_t) throws(AuditFileError) {
        guard isRegular else { return }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.error("\(path): cannot be read") }
        guard status.st_size != known else { return }
        length = status.st_size
        // Emptied: the chain goes on.
        (torn, needsLineEnd) = (nil, false)
        if length > 0 { try findEnd() }
    }

    /// Whether the name leads to another file by now.
    private var isReplaced: Bool {
        var named = stat()
        return isRegular && stat(path, &named) == 0 && !isAt(path)
    }

    /// Whether the name still leads to this file.
    func isAt(_ path: String) -> Bool {
        var named = stat()
        var opened = stat()
        return stat(path, &named) == 0 && fstat(descriptor, &opened) == 0 && named.st_ino == opened.st_ino
            && named.st_dev == opened.st_dev
    }

    /// Finds the last whole line, and what is broken behind it.
    private mutating func findEnd() throws(AuditFileError) {
        let most = 4 * AuditChain.longestLine
        let start = max(0, length - off_t(most))
        var bytes = [UInt8](repeating: 0, count: Int(length - start))
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress.map { $0 + filled }, buffer.count - filled, start + off_t(filled))
            }
            guard count > 0 else { throw Self.error("\(path): cannot be read") }
            filled += count
        }
        var rest = bytes[...]
        var isWhole = false
        if rest.last == 0x0a {
            rest = rest.dropLast()
            isWhole = true
        }
        let last = rest.lastIndex(of: 0x0a).map { rest[($0 + 1)...] } ?? rest
        if isWhole, let line = AuditChain.parse(last), line.isIntact {
            link = line.next
            return
        }
        // A line that a crash broke; it stays where it is, and the next line says so.
        torn = last.withUnsafeBufferPointer { AuditChain.digest($0, closing: false) }
        needsLineEnd = !isWhole
        guard last.startIndex > 0 else {
            if start > 0 { throw notALog }
            return
        }
        let before = rest[..<(last.startIndex - 1)]
        let whole = before.lastIndex(of: 0x0a).map { before[($0 + 1)...] } ?? before
        guard let line = AuditChain.parse(whole), line.isIntact else { throw notALog }
        link = line.next
    }

    private var notALog: AuditFileError {
        AuditFileError(
            description:
                "\(path): does not end like an audit log; look at it with `portcullis audit verify`, then move it away"
        )
    }

    /// Writes a group of lines and waits until the disk has it.
    ///
    /// After a failure the file is to be opened again, which finds out what is in it.
    mutating func write(_ entries: [AuditEntry], _ out: OutputBuffer) -> AuditOutcome {
        guard lock() else { return .failed }
        defer { unlock() }
        if isReplaced { return .moved }
        guard (try? catchUp()) != nil else { return .failed }
        return append(entries, out) ? .written : .failed
    }

    private mutating func append(_ entries: [AuditEntry], _ out: OutputBuffer) -> Bool {
        out.removeAll()
        if let torn, let first = entries.first {
            if needsLineEnd { out.append("\n") }
            AuditChain.append(AuditEntry("recovered", time: first.time), torn: torn, at: &link, &timestamp, to: out)
            self.torn = nil
        }
        for entry in entries { AuditChain.append(entry, at: &link, &timestamp, to: out) }
        let added = off_t(out.count)
        while !out.isEmpty {
            let count = Glibc.write(descriptor, out.readable, out.count)
            if count > 0 {
                out.consume(count)
            } else if count == 0 || errno != EINTR {
                // What went into the file already is taken out again, if that can be done.
                if isRegular { ftruncate(descriptor, length) }
                return false
            }
        }
        length += added
        guard isRegular else { return true }
        return fdatasync(descriptor) == 0
    }
}

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
    /// What failed last, for people.
    private(set) var problem = ""
    /// Bytes of the last line that is known, without its line end; 0: none is.
    ///
    /// Its digest is `link.previous`.
    private var lastLength = 0
    /// Lines that were there are gone or changed: the next one says so.
    private var isTampered = false
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
        guard descriptor >= 0 else {
            let error = Self.error("\(path): cannot be opened")
            timestamp.deallocate()
            throw error
        }
        var status = stat()
        isRegular = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && name != "/dev/stdout"
        length = isRegular ? status.st_size : 0
        guard isRegular else { return }
        guard lock() else {
            close()
            throw AuditFileError(description: "\(path): another process keeps this audit log locked")
        }
        do throws(AuditFileError) {
            try begin()
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

    /// Finds the end of a file that was opened; it is locked.
    private mutating func begin() throws(AuditFileError) {
        length = try size()
        guard length > 0 else { return }
        let begun = link
        if try findEnd() {
            // A file that another process began after a rotation goes on from where this one was, or from further on.
            let isBehind = link.sequence < begun.sequence
            guard isBehind || link.sequence == begun.sequence && link.previous != begun.previous else { return }
            isTampered = true
            Log.error("audit log: lines that were written are not there any more", ("path", path))
            return
        }
        // Nothing in it is a line to go on from.
        if link == begun { throw notALog }
        isTampered = true
        Log.error("audit log: its last line was changed", ("path", path))
    }

    /// Goes to the end of what others have added; the file is locked.
    ///
    /// What was written before must still be there, but for a file that was emptied: so do rotations.
    mutating func catchUp() throws(AuditFileError) {
        guard isRegular else { return }
        let size = try size()
        let isKept = size == 0 || holdsKnownEnd(size)
        guard size != length || !isKept else { return }
        length = size
        guard size > 0 else {
            // The chain goes on.
            (torn, needsLineEnd, lastLength) = (nil, false, 0)
            return
        }
        var isWhole = isKept
        if isKept { isWhole = try findEnd() }
        if !isWhole {
            (torn, lastLength, isTampered) = (nil, 0, true)
            needsLineEnd = try read(1, at: size - 1) != [0x0a]
            Log.error("audit log: lines that were written are not there any more", ("path", path))
        }
    }

    private func size() throws(AuditFileError) -> off_t {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.error("\(path): cannot be read") }
        return status.st_size
    }

    private func read(_ count: Int, at start: off_t) throws(AuditFileError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress.map { $0 + filled }, count - filled, start + off_t(filled))
            }
            guard got > 0 else { throw Self.error("\(path): cannot be read") }
            filled += got
        }
        return bytes
    }

    /// Whether the last line that this process knows of is where it was.
    private func holdsKnownEnd(_ size: off_t) -> Bool {
        guard lastLength > 0 else { return true }
        guard size >= length, let line = try? read(lastLength + 1, at: length - off_t(lastLength) - 1) else {
            return false
        }
        return line.last == 0x0a && digest(line[..<lastLength]) == link.previous
    }

    private func digest(_ line: ArraySlice<UInt8>) -> [UInt8] {
        line.withUnsafeBufferPointer { AuditChain.digest($0, closing: false) }
    }

    /// Whether the name leads to another file by now.
    private var isReplaced: Bool {
        var named = stat()
        return isRegular && stat(path, &named) == 0 && !isAt(path)
    }

    /// Whether no name leads to it any more: what is written is gone with the process.
    private var isRemoved: Bool {
        var opened = stat()
        return isRegular && fstat(descriptor, &opened) == 0 && opened.st_nlink == 0
    }

    /// Whether the name still leads to this file.
    func isAt(_ path: String) -> Bool {
        var named = stat()
        var opened = stat()
        return stat(path, &named) == 0 && fstat(descriptor, &opened) == 0 && named.st_ino == opened.st_ino
            && named.st_dev == opened.st_dev
    }

    /// Finds the last whole line, and what is broken behind it.
    ///
    /// Broken by a crash is only what has no line end. False: something else stands there, and `link` is that of the line
    /// before, if that is in order.
    private mutating func findEnd() throws(AuditFileError) -> Bool {
        let most = 4 * AuditChain.longestLine
        let start = max(0, length - off_t(most))
        let bytes = try read(Int(length - start), at: start)
        var rest = bytes[...]
        var isWhole = false
        (torn, needsLineEnd, lastLength) = (nil, false, 0)
        if rest.last == 0x0a {
            rest = rest.dropLast()
            isWhole = true
        }
        let last = rest.lastIndex(of: 0x0a).map { rest[($0 + 1)...] } ?? rest
        if isWhole, let line = AuditChain.parse(last), line.isIntact {
            (link, lastLength) = (line.next, last.count)
            return true
        }
        needsLineEnd = !isWhole
        // A line that a crash broke; it stays where it is, and the next line says so.
        if !isWhole { torn = digest(last) }
        guard last.startIndex > 0 else { return !isWhole && start == 0 }
        let before = rest[..<(last.startIndex - 1)]
        let whole = before.lastIndex(of: 0x0a).map { before[($0 + 1)...] } ?? before
        guard let line = AuditChain.parse(whole), line.isIntact else { return false }
        link = line.next
        return !isWhole
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
        guard lock() else {
            problem = "\(path): another process keeps it locked"
            return .failed
        }
        defer { unlock() }
        if isReplaced || isRemoved { return .moved }
        do throws(AuditFileError) {
            try catchUp()
        } catch {
            problem = error.description
            return .failed
        }
        return append(entries, out) ? .written : .failed
    }

    private mutating func append(_ entries: [AuditEntry], _ out: OutputBuffer) -> Bool {
        out.removeAll()
        guard let time = entries.first?.time else { return true }
        if needsLineEnd { out.append("\n") }
        if isTampered {
            AuditChain.append(AuditEntry(AuditChain.tampered, time: time), at: &link, &timestamp, to: out)
        } else if let torn {
            AuditChain.append(AuditEntry("recovered", time: time), torn: torn, at: &link, &timestamp, to: out)
        }
        var last = 0
        for entry in entries {
            last = out.count
            AuditChain.append(entry, at: &link, &timestamp, to: out)
        }
        let added = off_t(out.count)
        let lineLength = out.count - last - 1
        while !out.isEmpty {
            let count = Glibc.write(descriptor, out.readable, out.count)
            if count > 0 {
                out.consume(count)
            } else if count == 0 || errno != EINTR {
                // What went into the file already is taken out again, if that can be done.
                problem = Self.error(path).description
                if isRegular { ftruncate(descriptor, length) }
                return false
            }
        }
        length += added
        (torn, needsLineEnd, isTampered, lastLength) = (nil, false, false, lineLength)
        guard isRegular, fdatasync(descriptor) != 0 else { return true }
        problem = Self.error(path).description
        return false
    }
}

// COLD. Messages of the process itself (start, reload, faults), one line each on the standard error.
import Bytes
import Glibc
import Synchronization

/// The process log.
///
/// Never give it a credential. Values are escaped, so that no value can begin another line.
public enum Log {
    /// How bad it is.
    public enum Level: Int, Sendable, CaseIterable {
        case debug, info, warning, error

        var name: String {
            switch self {
            case .debug: "debug"
            case .info: "info"
            case .warning: "warning"
            case .error: "error"
            }
        }
    }

    /// The form of a line.
    public enum Format: Int, Sendable { case text, json }

    private static let level = Atomic<Int>(Level.info.rawValue)
    private static let format = Atomic<Int>(Format.text.rawValue)
    private static let writer = Locked<LogWriter?>(nil)
    /// Bytes of lines that may wait for a slow reader.
    private static let room = 1 << 20

    /// From now on nobody who says something waits for whoever reads the standard error.
    ///
    /// Without it each line is written at once, which is right for commands.
    public static func start() {
        let writer = try? LogWriter(descriptor: 2, limit: room) { count in
            bytes(.warning, "log: lines were lost, because nobody took them", [("lines", "\(count)")])
        }
        self.writer.withLock { $0 = writer }
    }

    /// Writes what waits, for a moment at most; lines of afterwards are written at once.
    public static func stop() {
        let writer = writer.withLock { writer in
            defer { writer = nil }
            return writer
        }
        writer?.stop(within: 1000)
    }

    /// Lines that nobody took in time.
    public static var lost: UInt64 { writer.withLock { $0 }?.lost ?? 0 }

    /// Sets the least level that is written, and the form.
    public static func configure(level: Level, format: Format) {
        self.level.store(level.rawValue, ordering: .relaxed)
        self.format.store(format.rawValue, ordering: .relaxed)
    }

    /// Something only of use while looking for a fault.
    public static func debug(_ message: String, _ values: (String, String)...) { write(.debug, message, values) }
    /// Something that an operator may want to know.
    public static func info(_ message: String, _ values: (String, String)...) { write(.info, message, values) }
    /// Something that an operator should look at.
    public static func warning(_ message: String, _ values: (String, String)...) { write(.warning, message, values) }
    /// Something that does not work.
    public static func error(_ message: String, _ values: (String, String)...) { write(.error, message, values) }

    private static func write(_ level: Level, _ message: String, _ values: [(String, String)]) {
        guard level.rawValue >= self.level.load(ordering: .relaxed) else { return }
        let line = bytes(level, message, values)
        if let writer = writer.withLock({ $0 }) { return writer.submit(line) }
        // One write per line, so that lines of several threads do not mix.
        _ = line.withUnsafeBytes { Glibc.write(2, $0.baseAddress, $0.count) }
    }

    private static func bytes(_ level: Level, _ message: String, _ values: [(String, String)]) -> [UInt8] {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let now = Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
        let isJSON = format.load(ordering: .relaxed) == Format.json.rawValue
        let out = line(level, message, values, unixMilliseconds: now, json: isJSON)
        return withExtendedLifetime(out) { Array(out.bytes) }
    }

    static func line(
        _ level: Level,
        _ message: String,
        _ values: [(String, String)],
        unixMilliseconds: Int64,
        json: Bool
    ) -> OutputBuffer {
        let out = OutputBuffer(capacity: 512)
        var timestamp = Timestamp()
        defer { timestamp.deallocate() }
        out.append(json ? "{\"time\":\"" : "")
        timestamp.append(unixMilliseconds: unixMilliseconds, to: out)
        out.append(json ? "\",\"level\":\"" : " ")
        out.append(string: level.name)
        out.append(json ? "\",\"message\":\"" : " ")
        escape(message, out)
        if json { out.append("\"") }
        for (name, value) in values {
            out.append(json ? ",\"" : " ")
            escape(name, out)
            out.append(json ? "\":\"" : "=")
            let isBare = !value.isEmpty && value.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x22 && $0 != 0x5c }
            if !json && !isBare { out.append("\"") }
            escape(value, out)
            if json || !isBare { out.append("\"") }
        }
        out.append(json ? "}\n" : "\n")
        return out
    }

    private static func escape(_ text: String, _ out: OutputBuffer) {
        var text = text
        text.withUTF8 { JSONText.append($0, cap: 4096, to: out) }
    }
}

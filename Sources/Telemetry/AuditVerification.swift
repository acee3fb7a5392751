// COLD. Looks whether an audit log is whole: every line itself, and each line's place behind the one before.
import Bytes
import Glibc

/// The result of looking at one audit log, in one file or several.
public struct AuditVerification: Sendable, Equatable {
    /// The first place that is not as it was written.
    public struct Fault: Sendable, Equatable {
        /// The file.
        public let file: String
        /// Its line, from 1.
        public let line: Int
        /// What is wrong, as a sentence.
        public let problem: String
    }

    /// Lines that are in order.
    public private(set) var lines = 0
    /// Number of the first line; 1 unless the beginning lies in a file that was not given.
    public private(set) var first: UInt64?
    /// Number of the last line that is in order.
    public private(set) var last: UInt64?
    /// SHA-256 of that line in hexadecimal: what to keep somewhere else.
    public private(set) var lastDigest = ""
    /// Places where a crash broke a line, which the gateway noted at its next start.
    public private(set) var recovered: [String] = []
    /// The first fault; nil: all is in order.
    public private(set) var fault: Fault?
    /// Whether the line with the digest that was asked for was met.
    public private(set) var hasAnchor: Bool

    private let anchor: [UInt8]
    private var link: AuditLink?
    private var broken: (digest: [UInt8], line: Int, problem: String)?

    /// Reads the files in the order of their lines, the oldest first.
    ///
    /// - Parameters:
    ///   - files: paths.
    ///   - anchor: digest that was noted earlier, in hexadecimal; empty: none.
    /// - Returns: what was found up to the first fault.
    public static func of(_ files: [String], anchor: String = "") -> AuditVerification {
        var result = AuditVerification(anchor: anchor)
        for file in files where result.fault == nil { result.read(file) }
        if result.fault == nil, !result.hasAnchor, let file = files.last {
            result.fault = Fault(file: file, line: 0, problem: "no line has the digest \(anchor)")
        }
        return result
    }

    private init(anchor: String) {
        self.anchor = Array(anchor.utf8)
        hasAnchor = anchor.isEmpty
    }

    private mutating func read(_ file: String) {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            fault = Fault(file: file, line: 0, problem: "cannot be read: \(String(cString: strerror(errno)))")
            return
        }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 262_144)
        var rest: [UInt8] = []
        var number = 0
        while fault == nil {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 { fault = Fault(file: file, line: number + 1, problem: "cannot be read") }
            guard count > 0 else { break }
            var start = 0
            while fault == nil, let end = buffer[start..<count].firstIndex(of: 0x0a) {
                number += 1
                if rest.isEmpty {
                    check(buffer[start..<end], file, number)
                } else {
                    rest += buffer[start..<end]
                    check(rest[...], file, number)
                    rest.removeAll(keepingCapacity: true)
                }
                start = end + 1
            }
            rest += buffer[start..<count]
            if rest.count > 4 * AuditChain.longestLine {
                fault = Fault(file: file, line: number + 1, problem: "is longer than any line of an audit log")
            }
        }
        guard fault == nil else { return }
        if let broken {
            fault = Fault(file: file, line: broken.line, problem: broken.problem)
        } else if !rest.isEmpty {
            fault = Fault(file: file, line: number + 1, problem: "is incomplete: its end is missing")
        }
    }

    private mutating func check(_ bytes: ArraySlice<UInt8>, _ file: String, _ number: Int) {
        let line = AuditChain.parse(bytes)
        if let broken {
            // Only a line that names what is broken makes up for it.
            guard let line, line.isIntact, line.torn == broken.digest else {
                fault = Fault(file: file, line: broken.line, problem: broken.problem)
                return
            }
            recovered.append("\(file):\(broken.line)")
            self.broken = nil
        }
        guard let line, line.isIntact else {
            let problem = line == nil ? "is not a line of an audit log" : "was changed: its hash does not fit"
            broken = (bytes.withUnsafeBufferPointer { AuditChain.digest($0, closing: false) }, number, problem)
            return
        }
        if let problem = misplaced(line) {
            fault = Fault(file: file, line: number, problem: problem)
            return
        }
        if line.isAlarm {
            let problem = "says that lines before it were gone or changed when it was written"
            fault = Fault(file: file, line: number, problem: problem)
            return
        }
        lines += 1
        if first == nil { first = line.sequence }
        last = line.sequence
        link = line.next
        lastDigest = String(decoding: line.digest, as: UTF8.self)
        if line.digest == anchor { hasAnchor = true }
    }

    /// What is wrong with the place of a line that is itself in order.
    private func misplaced(_ line: AuditLine) -> String? {
        guard let link else {
            guard line.sequence == 1 else { return nil }
            return line.previous == AuditLink.first.previous ? nil : "has number 1, but follows another line"
        }
        if line.sequence > link.sequence {
            let end = line.sequence - 1
            return link.sequence == end
                ? "line number \(end) is missing before it"
                : "line numbers \(link.sequence) to \(end) are missing before it"
        }
        if line.sequence < link.sequence { return "has number \(line.sequence), where \(link.sequence) was expected" }
        return line.previous == link.previous ? nil : "does not follow from the line before it: that one was replaced"
    }

    /// Equal results.
    public static func == (a: AuditVerification, b: AuditVerification) -> Bool {
        a.lines == b.lines && a.first == b.first && a.last == b.last && a.lastDigest == b.lastDigest
            && a.recovered == b.recovered && a.fault == b.fault
    }
}

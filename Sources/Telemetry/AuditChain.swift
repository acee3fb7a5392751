// COLD. The form of an audit log's lines and how they hang together; no files.
import Bytes
import COpenSSL

/// What an audit line tells.
///
/// Values from outside are escaped and cut at 512 bytes; none of them may be a secret.
public struct AuditEntry: Sendable, Equatable {
    /// What happened, in snake_case: `login`, `failure`, `logout`.
    public var event: String
    /// Milliseconds since 1970.
    public var time: Int64
    /// Canonical name of the account.
    public var account = ""
    /// Public handle of the session.
    public var session = ""
    /// The login that the session belongs to.
    public var family = ""
    /// How the login was done.
    public var method = ""
    /// Client address.
    public var address = ""
    /// Host that was spoken to.
    public var site = ""
    /// Why.
    public var reason = ""
    /// Id of the request.
    public var request = ""
    /// Events of this kind that were left out since the last one.
    public var leftOut = 0

    /// An event without particulars; empty ones do not appear in the line.
    public init(_ event: String, time: Int64) {
        self.event = event
        self.time = time
    }
}

/// The place of the next line in the chain.
struct AuditLink: Equatable, Sendable {
    /// Its number, from 1.
    var sequence: UInt64
    /// SHA-256 of the line before, as 64 hexadecimal digits; zeros before the first.
    var previous: [UInt8]

    static let first = AuditLink(sequence: 1, previous: [UInt8](repeating: UInt8(ascii: "0"), count: 64))
}

/// A line that was read: only what holds the chain together.
struct AuditLine: Equatable {
    let sequence: UInt64
    let previous: [UInt8]
    /// For `recovered`: SHA-256 of the broken line before it.
    let torn: [UInt8]?
    /// Whether it says that lines before it are gone or changed.
    let isAlarm: Bool
    /// Whether its `hash` fits.
    let isIntact: Bool
    /// SHA-256 of the whole line: `previous` of the next.
    let digest: [UInt8]

    var next: AuditLink { AuditLink(sequence: sequence &+ 1, previous: digest) }
}

/// Lines of JSON, each with a hash of itself and of the line before.
///
/// `{"seq":7,"time":"…","event":"login",…,"prev":"<64>","hash":"<64>"}`: `prev` is the SHA-256 of the whole line before
/// (without its line end), `hash` that of this line without the member `hash`. Whoever can write the file can also make
/// a new chain: against that helps only a hash that is kept somewhere else.
enum AuditChain {
    /// No line is longer.
    static let longestLine = 16_384
    private static let longestValue = 512
    private static let prevMark = Array(",\"prev\":\"".utf8)
    private static let hashMark = Array("\",\"hash\":\"".utf8)
    private static let end = Array("\"}".utf8)
    private static let tornMark = Array("\"event\":\"recovered\",\"torn\":\"".utf8)
    private static let alarmMark = Array(",\"event\":\"tampered\",".utf8)
    /// The event of a line before which others are gone or changed.
    static let tampered = "tampered"
    private static let digestLength = 64
    /// Bytes of `,"prev":"…","hash":"…"}`.
    private static let tailLength = prevMark.count + digestLength + hashMark.count + digestLength + end.count

    /// Appends a line with its line end, and moves `link` on.
    static func append(
        _ entry: AuditEntry,
        torn: [UInt8]? = nil,
        at link: inout AuditLink,
        _ timestamp: inout Timestamp,
        to out: OutputBuffer
    ) {
        let start = out.count
        out.append("{\"seq\":")
        out.append(decimal: link.sequence)
        out.append(",\"time\":\"")
        timestamp.append(unixMilliseconds: entry.time, to: out)
        out.append("\"")
        member(",\"event\":\"", entry.event, out)
        if let torn {
            out.append(",\"torn\":\"")
            out.append(torn)
            out.append("\"")
        }
        member(",\"account\":\"", entry.account, out)
        member(",\"session\":\"", entry.session, out)
        member(",\"family\":\"", entry.family, out)
        member(",\"method\":\"", entry.method, out)
        member(",\"address\":\"", entry.address, out)
        member(",\"site\":\"", entry.site, out)
        member(",\"reason\":\"", entry.reason, out)
        member(",\"request\":\"", entry.request, out)
        if entry.leftOut > 0 {
            out.append(",\"left_out\":")
            out.append(decimal: UInt64(entry.leftOut))
        }
        out.append(prevMark)
        out.append(link.previous)
        out.append("\"")
        let body = UnsafeBufferPointer(start: out.readable + start, count: out.count - start)
        let hash = digest(body, closing: true)
        out.append(",\"hash\":\"")
        out.append(hash)
        out.append("\"}")
        let line = UnsafeBufferPointer(start: out.readable + start, count: out.count - start)
        link = AuditLink(sequence: link.sequence &+ 1, previous: digest(line, closing: false))
        out.append("\n")
    }

    private static func member(_ name: StaticString, _ value: String, _ out: OutputBuffer) {
        guard !value.isEmpty else { return }
        out.append(name)
        var value = value
        value.withUTF8 { JSONText.append($0, cap: longestValue, to: out) }
        out.append("\"")
    }

    /// A line without its line end; nil when it is none of these.
    static func parse(_ line: ArraySlice<UInt8>) -> AuditLine? {
        let opening = Array("{\"seq\":".utf8)
        guard line.count > opening.count + tailLength, line.count <= longestLine, line.starts(with: opening),
            line.suffix(end.count).elementsEqual(end)
        else { return nil }
        var sequence: UInt64 = 0
        var index = line.startIndex + opening.count
        let digits = index
        while index < line.endIndex, (0x30...0x39).contains(line[index]), index - digits < 19 {
            sequence = sequence * 10 + UInt64(line[index] - 0x30)
            index += 1
        }
        guard index > digits, line[index] == UInt8(ascii: ","), sequence > 0 else { return nil }
        let prevStart = line.endIndex - tailLength
        let previous = prevStart + prevMark.count
        let hashStart = previous + digestLength
        let hash = hashStart + hashMark.count
        guard line[prevStart..<previous].elementsEqual(prevMark), line[hashStart..<hash].elementsEqual(hashMark),
            isDigest(line[previous..<hashStart]), isDigest(line[hash..<(hash + digestLength)])
        else { return nil }
        return line.withUnsafeBufferPointer { bytes in
            // The quote behind `prev` belongs to what is hashed; a brace closes it.
            let body = UnsafeBufferPointer(rebasing: bytes[..<(hashStart - line.startIndex + 1)])
            return AuditLine(
                sequence: sequence,
                previous: Array(line[previous..<hashStart]),
                torn: torn(line),
                isAlarm: isAlarm(line),
                isIntact: digest(body, closing: true).elementsEqual(line[hash..<(hash + digestLength)]),
                digest: digest(bytes, closing: false)
            )
        }
    }

    /// Values are escaped: this text can stand in the place of the event only, behind the time.
    private static func torn(_ line: ArraySlice<UInt8>) -> [UInt8]? {
        let head = line.prefix(200)
        guard head.count == 200 else { return nil }
        for start in head.indices.dropLast(tornMark.count + digestLength)
        where head[start...].starts(with: tornMark) {
            return Array(head[(start + tornMark.count)...].prefix(digestLength))
        }
        return nil
    }

    /// As for `torn`: this text can stand behind the time only.
    private static func isAlarm(_ line: ArraySlice<UInt8>) -> Bool {
        let head = line.prefix(128)
        return head.indices.contains { head[$0...].starts(with: alarmMark) }
    }

    private static func isDigest(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.count == digestLength && bytes.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    /// SHA-256 in hexadecimal, of the bytes or of the bytes and a closing brace.
    static func digest(_ bytes: UnsafeBufferPointer<UInt8>, closing: Bool) -> [UInt8] {
        var raw = [UInt8](repeating: 0, count: 32)
        if closing {
            let all = Array(bytes) + [UInt8(ascii: "}")]
            SHA256(all, all.count, &raw)
        } else {
            SHA256(bytes.baseAddress, bytes.count, &raw)
        }
        return raw.flatMap { byte in
            [byte >> 4, byte & 15].map { $0 < 10 ? 0x30 + $0 : 0x57 + $0 }
        }
    }
}

// COLD. Revocations as JSON: in the file that keeps them, and over the ops listener.
public import Bytes
import JOSE
import Settings

extension Revocation {
    /// Why a text is no revocation.
    public struct Mistake: Error, Equatable {
        /// A sentence without a full stop.
        public var text: String
    }

    /// Appends it as one JSON object: `{"issuer":"…","subject":"…","before":1}`.
    public func append(to out: OutputBuffer) {
        out.append("{")
        if let issuer = key.issuer {
            out.append("\"issuer\":")
            Self.append(issuer, out)
            out.append(",")
        }
        switch key.target {
        case .token(let id):
            out.append("\"token\":")
            Self.append(id, out)
        case .subject(let subject):
            out.append("\"subject\":")
            Self.append(subject, out)
        }
        if let before {
            out.append(",\"before\":")
            out.append(decimal: UInt64(max(0, before)))
        }
        if let until {
            out.append(",\"until\":")
            out.append(decimal: UInt64(max(0, until)))
        }
        out.append("}")
    }

    private static func append(_ bytes: [UInt8], _ out: OutputBuffer) {
        unsafe bytes.withUnsafeBufferPointer { unsafe JSONWriter.append(string: $0, to: out) }
    }

    /// Reads one JSON object, or a list of them; `issuer` is as it was written.
    ///
    /// Names that mean nothing are a mistake: somebody meant something by them.
    public static func read(_ text: [UInt8]) throws(Mistake) -> [Revocation] {
        let document = JSONDocument(capacity: text.count)
        do throws(JSONError) {
            try document.parse(text.span, limits: JSONLimits(depth: 4, nodes: 65_536))
        } catch {
            throw Mistake(text: "this is not JSON that can be read (\(error))")
        }
        switch document.kind(0) {
        case .object: return [try read(document, 0)]
        case .array:
            var all: [Revocation] = []
            var child = document.firstChild(0)
            for _ in 0..<document.childCount(0) {
                all.append(try read(document, child))
                child = document.next(child)
            }
            return all
        default: throw Mistake(text: "a revocation is a JSON object")
        }
    }

    private static func read(_ document: JSONDocument, _ object: Int) throws(Mistake) -> Revocation {
        guard document.kind(object) == .object else { throw Mistake(text: "a revocation is a JSON object") }
        var issuer: [UInt8]?
        var target: Target?
        var before: Int64?
        var until: Int64?
        var child = document.firstChild(object)
        for _ in 0..<document.childCount(object) {
            let name = unsafe String(decoding: document.key(child), as: UTF8.self)
            switch name {
            case "issuer": issuer = try text(document, child, name)
            case "token", "subject":
                guard target == nil else { throw Mistake(text: "token and subject exclude each other") }
                let value = try text(document, child, name)
                target = name == "token" ? .token(value) : .subject(value)
            case "before": before = try time(document, child, name)
            case "until": until = try time(document, child, name)
            default: throw Mistake(text: "there is no member \"\(name.prefix(32))\"")
            }
            child = document.next(child)
        }
        guard let target else { throw Mistake(text: "needs \"token\" or \"subject\"") }
        return Revocation(Key(issuer: issuer, target: target), before: before, until: until)
    }

    private static func text(_ document: JSONDocument, _ node: Int, _ name: String) throws(Mistake) -> [UInt8] {
        guard let bytes = document.stringBytes(node), (1...512).contains(bytes.count) else {
            throw Mistake(text: "\"\(name)\" must be a text of 1 to 512 bytes")
        }
        return bytes
    }

    private static func time(_ document: JSONDocument, _ node: Int, _ name: String) throws(Mistake) -> Int64 {
        let kind = document.kind(node)
        guard kind == .string || kind == .integer, let time = SettingTime(text: document.string(node)) else {
            throw Mistake(text: "\"\(name)\" must be seconds since 1970, or a time such as 2026-01-31T12:00:00Z")
        }
        return time.seconds
    }
}

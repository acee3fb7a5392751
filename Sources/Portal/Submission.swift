// COLD. What was sent: fields of a form, a query or a JSON object, read strictly and within bounds.
internal import JOSE

/// Named texts out of a form, a query or a JSON body.
struct Submission: Sendable {
    /// By name; no name came twice.
    var values: [String: String] = [:]
    /// Whether it was JSON.
    var isJSON = false

    /// A value; nil when it is missing or empty.
    subscript(_ name: String) -> String? { values[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// Whether a switch is on: `1`, `true` or `on`.
    func isOn(_ name: String) -> Bool { ["1", "true", "on"].contains(values[name] ?? "") }

    /// The same, where to take it for less than was meant would be worse than a refusal.
    func flag(_ name: String) throws(PortalProblem) -> Bool {
        guard let value = values[name] else { return false }
        switch value.lowercased() {
        case "1", "true", "on", "yes": return true
        case "0", "false", "off", "no": return false
        default: throw .malformedBody
        }
    }

    /// The body of a request by its media type; `mayBeEmpty`: one without content says nothing by its type.
    static func read(_ request: PortalRequest, mayBeEmpty: Bool = false) throws(PortalProblem) -> Submission {
        guard request.body.count <= PortalLimits.body else { throw .bodyTooLarge }
        if request.body.isEmpty, mayBeEmpty || !request.has("content-type") { return Submission() }
        let codings = request.fields.filter { $0.name == "content-encoding" }.map(\.value)
        guard codings.allSatisfy({ $0.isEmpty || $0.lowercased() == "identity" }),
            let type = request.single("content-type")
        else { throw .unsupportedBody }
        switch mediaType(type) {
        case "application/x-www-form-urlencoded":
            guard let values = form(request.body[...]) else { throw .malformedBody }
            return Submission(values: values)
        case "application/json":
            guard let values = json(request.body) else { throw .malformedBody }
            return Submission(values: values, isJSON: true)
        default: throw .unsupportedBody
        }
    }

    /// The fields of a query; none when it is malformed.
    static func query(_ text: String) -> Submission { Submission(values: form(Array(text.utf8)[...]) ?? [:]) }

    /// The type without parameters, in lower case.
    static func mediaType(_ value: String) -> String {
        value.prefix { $0 != ";" }.lowercased().filter { $0 != " " && $0 != "\t" }
    }

    /// `application/x-www-form-urlencoded` (WHATWG URL §5.1), but with nothing forgiven: nil for a broken escape, bytes
    /// that are no UTF-8, NUL, a name twice, or more than 32 fields.
    private static func form(_ bytes: ArraySlice<UInt8>) -> [String: String]? {
        var values: [String: String] = [:]
        for pair in bytes.split(separator: UInt8(ascii: "&")) {
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            guard let name = text(pair[..<equals]), let value = text(pair[min(equals + 1, pair.endIndex)...]) else {
                return nil
            }
            guard values.updateValue(value, forKey: name) == nil, values.count <= PortalLimits.fields else {
                return nil
            }
        }
        return values
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String? {
        guard let decoded = PercentCoding.decode(bytes, plusIsSpace: true), !decoded.contains(0) else { return nil }
        return String(validating: decoded, as: UTF8.self)
    }

    /// An object of texts, booleans and numbers; nil for anything else, and for a name twice.
    private static func json(_ bytes: [UInt8]) -> [String: String]? {
        let document = JSONDocument(capacity: bytes.count)
        do throws(JSONError) {
            try document.parse(bytes.span, limits: JSONLimits(depth: 4, nodes: 64))
        } catch {
            return nil
        }
        guard document.nodeCount > 0, document.kind(0) == .object else { return nil }
        var values: [String: String] = [:]
        var child = document.firstChild(0)
        for _ in 0..<document.childCount(0) {
            let name = String(decoding: document.key(child), as: UTF8.self)
            switch document.kind(child) {
            case .string:
                let value = document.string(child)
                guard !value.utf8.contains(0) else { return nil }
                values[name] = value
            case .integer: values[name] = document.string(child)
            case .yes: values[name] = "true"
            case .no: values[name] = "false"
            case .null: break
            case .decimal, .array, .object: return nil
            }
            child = document.next(child)
        }
        return values.count <= PortalLimits.fields ? values : nil
    }
}

// HOT. The claims of a token: its payload parsed, registered claims located, any other found by path.
internal import Bytes
import Glibc

/// The claims of one token (RFC 7519 §4).
///
/// The claims of a ``TokenDecoder`` are overwritten by its next token; `copy()` makes ones that stay. A copy never
/// changes. Values are addressed by index; -1 stands for absent.
@safe
public final class Claims: @unchecked Sendable {
    // Exception: @unchecked because a copy is written before anybody else sees it and never again; the decoder's own
    // instance stays on its thread.

    /// All values; index 0 is the claims object.
    public let document: JSONDocument

    /// Index of `iss`, a string, or -1.
    public private(set) var issuer = -1
    /// Index of `sub`, a string, or -1.
    public private(set) var subject = -1
    /// Index of `aud`, a string or an array of strings, or -1.
    public private(set) var audience = -1
    /// Index of `jti`, a string, or -1.
    public private(set) var tokenID = -1
    /// Index of `scope`, as it is, or -1.
    public private(set) var scope = -1
    /// Index of `scp`, as it is, or -1.
    public private(set) var scp = -1
    /// `exp` in seconds since 1970, or `Int64.max` if absent.
    public private(set) var expiry = Int64.max
    /// `nbf` in seconds since 1970, or `Int64.min` if absent.
    public private(set) var notBefore = Int64.min
    /// `iat` in seconds since 1970, or `Int64.min` if absent.
    public private(set) var issuedAt = Int64.min

    /// Whether `exp` is there.
    public var hasExpiry: Bool { expiry != .max }
    /// Whether `nbf` is there.
    public var hasNotBefore: Bool { notBefore != .min }
    /// Whether `iat` is there.
    public var hasIssuedAt: Bool { issuedAt != .min }

    init(document: JSONDocument) { self.document = document }

    /// Claims of a JSON text (tests, tools).
    public convenience init(json: [UInt8]) throws(TokenError) {
        self.init(document: JSONDocument(capacity: json.count, nodes: 32))
        do throws(JSONError) {
            try document.parse(json.span)
        } catch {
            throw TokenError(error)
        }
        try locate()
    }

    /// Bytes of memory that they take, about.
    public var memory: Int {
        document.capacity &+ document.nodeCapacity &* MemoryLayout<JSONNode>.stride &+ 256
    }

    /// The same claims in memory of their own.
    public func copy() -> Claims {
        let copy = Claims(document: JSONDocument(copying: document))
        copy.issuer = issuer
        copy.subject = subject
        copy.audience = audience
        copy.tokenID = tokenID
        copy.scope = scope
        copy.scp = scp
        copy.expiry = expiry
        copy.notBefore = notBefore
        copy.issuedAt = issuedAt
        return copy
    }

    /// Finds the registered claims and checks their types.
    func locate() throws(TokenError) {
        issuer = -1
        subject = -1
        audience = -1
        tokenID = -1
        scope = -1
        scp = -1
        expiry = .max
        notBefore = .min
        issuedAt = .min
        let root = document.node(0)
        guard root.kind == .object else { throw .badJSON }
        let bytes = unsafe document.bytes
        let nodes = unsafe document.nodes
        var i = 1
        let end = Int(root.next)
        while i < end {
            let node = unsafe nodes[i]
            let key = node.key
            if key.count == 3 {
                let at = unsafe bytes + key.start
                let name = unsafe UInt32(at[0]) << 16 | UInt32(at[1]) << 8 | UInt32(at[2])
                switch name {
                case 0x697373: issuer = try string(i, node)
                case 0x737562: subject = try string(i, node)
                case 0x6a7469: tokenID = try string(i, node)
                case 0x617564: audience = try strings(i, node)
                case 0x657870: expiry = try date(node)
                case 0x6e6266: notBefore = try date(node)
                case 0x696174: issuedAt = try date(node)
                case 0x736370: scp = i
                default: break
                }
            } else if key.count == 5, unsafe memcmp(bytes + key.start, "scope", 5) == 0 {
                scope = i
            }
            i = Int(node.next)
        }
    }

    private func string(_ index: Int, _ node: JSONNode) throws(TokenError) -> Int {
        guard node.kind == .string else { throw .badClaim }
        return index
    }

    /// RFC 7519 §4.1.3: one string or an array of strings.
    private func strings(_ index: Int, _ node: JSONNode) throws(TokenError) -> Int {
        if node.kind == .string { return index }
        guard node.kind == .array else { throw .badClaim }
        var child = index &+ 1
        while child < Int(node.next) {
            guard document.kind(child) == .string else { throw .badClaim }
            child &+= 1
        }
        return index
    }

    /// Last second of the year 9999.
    private static let latest: Int64 = 253_402_300_799

    /// NumericDate (RFC 7519 §2): seconds since 1970, fractions cut off; not before 1970, not beyond the year 9999.
    private func date(_ node: JSONNode) throws(TokenError) -> Int64 {
        let text = unsafe document.bytes + node.value.start
        switch node.kind {
        case .integer:
            guard let value = unsafe DecimalText.integer(text, node.value.count), value >= 0, value <= Self.latest
            else {
                throw .badClaim
            }
            return value
        case .decimal:
            // Rare: a copy with a NUL behind it, for strtod. The locale is never set, so the point is a point.
            guard node.value.count < 64 else { throw .badClaim }
            var copy = InlineArray<64, CChar>(repeating: 0)
            for i in 0..<node.value.count { copy[i] = unsafe CChar(bitPattern: text[i]) }
            let span = copy.span
            let value = unsafe span.withUnsafeBufferPointer { buffer -> Double in
                guard let start = buffer.baseAddress else { return .nan }
                return unsafe strtod(start, nil)
            }
            guard value >= 0, value <= Double(Self.latest) else { throw .badClaim }
            return Int64(value)
        default: throw .badClaim
        }
    }

    // MARK: Reading

    /// Index of the value at a path, or -1.
    @inline(__always)
    public func find(_ path: ClaimPath) -> Int { path.find(in: document) }

    /// Index of a top-level claim, or -1.
    public func find(_ name: StaticString) -> Int { document.member(0, name) }

    /// Bytes of a string or number, unescaped; empty for absent ones, arrays and objects.
    public func text(_ index: Int) -> UnsafeBufferPointer<UInt8> {
        index < 0 ? unsafe UnsafeBufferPointer(start: nil, count: 0) : unsafe document.text(index)
    }

    /// Whether the value is a string of exactly these bytes.
    @unsafe
    public func equals(_ index: Int, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        guard index >= 0 else { return false }
        let node = document.node(index)
        guard node.kind == .string, node.value.count == count else { return false }
        return unsafe memcmp(document.bytes + node.value.start, bytes, count) == 0
    }

    /// Whether the value is a string of exactly these bytes.
    public func equals(_ index: Int, _ text: Span<UInt8>) -> Bool {
        unsafe text.withUnsafeBufferPointer { buffer in
            guard let start = buffer.baseAddress else {
                return index >= 0 && document.kind(index) == .string && document.node(index).value.isEmpty
            }
            return unsafe equals(index, start, buffer.count)
        }
    }

    /// Whether the value is this string, or an array that holds it.
    @unsafe
    public func contains(_ index: Int, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        guard index >= 0 else { return false }
        let node = document.node(index)
        guard node.kind == .array else { return unsafe equals(index, bytes, count) }
        var child = index &+ 1
        while child < Int(node.next) {
            if unsafe equals(child, bytes, count) { return true }
            child = document.next(child)
        }
        return false
    }

    /// Whether the value is this string, or an array that holds it.
    public func contains(_ index: Int, _ text: Span<UInt8>) -> Bool {
        unsafe text.withUnsafeBufferPointer { buffer in
            guard let start = buffer.baseAddress else { return false }
            return unsafe contains(index, start, buffer.count)
        }
    }

    /// Whether the value lists this word: an array that holds it, or a string of words separated by blanks that does.
    ///
    /// The form of `scope` (RFC 8693 §4.2) and of its array variants.
    @unsafe
    public func lists(_ index: Int, _ word: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        guard index >= 0, count > 0 else { return false }
        let node = document.node(index)
        if node.kind == .array { return unsafe contains(index, word, count) }
        guard node.kind == .string else { return false }
        let text = unsafe document.bytes + node.value.start
        let length = node.value.count
        var i = 0
        while i < length {
            let start = i
            while i < length, unsafe text[i] != 0x20 { i &+= 1 }
            if i &- start == count, unsafe memcmp(text + start, word, count) == 0 { return true }
            i &+= 1
        }
        return false
    }

    /// Whether the value lists this word, as an element of an array or as a blank-separated word.
    public func lists(_ index: Int, _ word: Span<UInt8>) -> Bool {
        unsafe word.withUnsafeBufferPointer { buffer in
            guard let start = buffer.baseAddress else { return false }
            return unsafe lists(index, start, buffer.count)
        }
    }
}

extension TokenError {
    /// What a JSON error means for a token.
    init(_ error: JSONError) {
        switch error {
        case .syntax, .encoding: self = .badJSON
        case .duplicateName: self = .duplicateName
        case .tooDeep: self = .tooDeep
        case .tooLarge: self = .tooLarge
        }
    }
}

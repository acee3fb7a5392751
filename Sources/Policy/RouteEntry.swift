// HOT. A route at its place in the trie: which methods and headers it is for.
import Bytes
import HTTP
import Settings

/// A route with its conditions beyond host and path.
struct RouteEntry: Sendable {
    let route: Int
    /// Bits by `Method.rawValue`; 0 for any method.
    let methods: UInt16
    /// Names of methods that have no number of their own.
    let otherMethods: [[UInt8]]
    let headers: [HeaderCondition]

    var takesAnyMethod: Bool { methods == 0 && otherMethods.isEmpty }

    init(_ settings: MatchSettings, route: Int) {
        self.route = route
        var bits: UInt16 = 0
        var others: [[UInt8]] = []
        for name in settings.methods {
            let bytes = Array(name.utf8)
            if let method = Self.method(bytes) { bits |= 1 << UInt16(method.rawValue) } else { others.append(bytes) }
        }
        methods = bits
        otherMethods = others
        headers = settings.headers.map(HeaderCondition.init)
    }

    private static let known: [Method] = [.get, .head, .post, .put, .delete, .connect, .options, .trace, .patch]

    private static func method(_ name: [UInt8]) -> Method? {
        known.first { method in "\(method.token)".utf8.elementsEqual(name) }
    }

    /// Whether method and headers of a request fit.
    @inline(__always)
    func fits(_ head: RequestHead, _ input: UnsafePointer<UInt8>) -> Bool {
        if methods == 0, headers.isEmpty, otherMethods.isEmpty { return true }
        return unsafe fitsConditions(head, input)
    }

    private func fitsConditions(_ head: RequestHead, _ input: UnsafePointer<UInt8>) -> Bool {
        if !takesAnyMethod, methods >> UInt16(head.method.rawValue) & 1 == 0 {
            guard head.method == .other, otherMethods.contains(where: { unsafe $0.isEqual(input, head.methodName) })
            else { return false }
        }
        for condition in headers where unsafe !condition.holds(head, input) { return false }
        return true
    }
}

/// A condition on a header field, which sees all values of a name.
struct HeaderCondition: Sendable {
    /// Lower case.
    let name: [UInt8]
    let value: [UInt8]?
    let present: Bool

    init(_ settings: HeaderMatch) {
        name = Array(settings.name.text.lowercased().utf8)
        value = settings.value.map { Array($0.utf8) }
        present = settings.present
    }

    /// With a value: the field is there, and each of its lines has exactly this value.
    ///
    /// Otherwise whether it is there at all. What was taken away from the client's word (identity, forwarding fields of
    /// strangers, what `Connection` names) is not there: the service will not see it either.
    func holds(_ head: RequestHead, _ input: UnsafePointer<UInt8>) -> Bool {
        var isThere = false
        for i in 0..<head.fieldCount {
            let field = head[i]
            guard field.name.count == name.count, unsafe name.isEqualIgnoringCase(input, field.name),
                !field.isDropped || HopByHop.drops(field.id) && !field.connectionNamed
            else { continue }
            isThere = true
            if let value, unsafe !value.isEqual(input, field.value) { return false }
        }
        return isThere == present
    }
}

extension [UInt8] {
    /// Whether the slice of `input` holds these bytes.
    @inline(__always)
    func isEqual(_ input: UnsafePointer<UInt8>, _ slice: Slice) -> Bool {
        guard slice.count == count else { return false }
        for i in 0..<count where (unsafe input[slice.start &+ i]) != self[i] { return false }
        return true
    }

    /// The same for bytes that are lower case here and of any case there.
    @inline(__always)
    func isEqualIgnoringCase(_ input: UnsafePointer<UInt8>, _ slice: Slice) -> Bool {
        guard slice.count == count else { return false }
        for i in 0..<count where FoldedHash.lowered(unsafe input[slice.start &+ i]) != self[i] { return false }
        return true
    }
}

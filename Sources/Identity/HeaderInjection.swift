// HOT to protect, COLD to build. Which header names only the gateway may set, and the lines it sets.
public import HTTP
public import JOSE
import Bytes

/// A claim and the header that tells services of it.
public struct ClaimHeader: Sendable {
    /// Where the claim is.
    public var claim: ClaimPath
    /// The header's name.
    public var header: [UInt8]

    /// A claim that is told in `header`.
    public init(claim: ClaimPath, header: [UInt8]) {
        self.claim = claim
        self.header = header
    }
}

/// What was found when a request's fields were looked at.
public struct Protection {
    /// `.connectionNamesProtected`, or `.none`.
    public var reason: Reason
    /// Fields that will not go on.
    public var removed: Int
}

/// Makes identity headers impossible to forge.
///
/// Every name that folds to a protected one (A–Z to lower case, runs of anything but letters and digits to one `-`, none
/// at the ends) is taken out of the request before ours is put in: services that see `X_User_Id` or `x.user.id` as
/// `X-User-Id` are safe as well.
/// Immutable; shared by all workers.
public final class HeaderInjection: Sendable {
    /// A longer value is left out.
    public static let longestValue = 4096
    /// With a longer block the headers that do not fit are left out.
    public static let longestBlock = 16384

    private let headers: [ClaimHeader]
    /// The folded names, one behind the other, and where each ends.
    private let names: [UInt8]
    private let ends: [Int]
    /// A bit for each ASCII byte that a protected name can begin with: most fields of a request are told by that alone.
    private let lowStarts: UInt64
    private let highStarts: UInt64

    /// Headers to set, and further names that nobody else may set.
    public init(headers: [ClaimHeader], protected: [[UInt8]]) {
        self.headers = headers
        var names: [[UInt8]] = []
        for name in headers.map(\.header) + protected {
            let parts = name.map(Self.folded).split(separator: 0x2d)
            let folded = Array(parts.joined(separator: [0x2d]))
            if !folded.isEmpty, !names.contains(folded) { names.append(folded) }
        }
        self.names = Array(names.joined())
        var ends: [Int] = []
        for name in names { ends.append((ends.last ?? 0) + name.count) }
        self.ends = ends
        var starts: (low: UInt64, high: UInt64) = (0, 0)
        for byte in UInt8(0x21)..<0x7f {
            let folded = Self.folded(byte)
            guard folded == 0x2d || names.contains(where: { $0[0] == folded }) else { continue }
            if byte < 64 { starts.low |= 1 << UInt64(byte) } else { starts.high |= 1 << UInt64(byte - 64) }
        }
        lowStarts = starts.low
        highStarts = starts.high
    }

    /// A–Z to lower case, everything but letters and digits to `-`.
    @inline(__always)
    static func folded(_ byte: UInt8) -> UInt8 {
        let lower = byte | 0x20
        if lower &- 0x61 < 26 { return lower }
        return byte &- 0x30 < 10 ? byte : 0x2d
    }

    /// Whether only the gateway may set a field of this name.
    @inline(__always)
    public func isProtected(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        guard name.count > 0 else { return false }
        let first = unsafe name[0]
        guard (first < 64 ? lowStarts : highStarts) >> UInt64(first & 63) & 1 != 0 else { return false }
        return unsafe isListed(name)
    }

    private func isListed(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        var start = 0
        for i in 0..<ends.count {
            if unsafe folds(name, to: start, ends[i]) { return true }
            start = ends[i]
        }
        return false
    }

    /// Whether the name folds to the listed one between two places of `names`.
    ///
    /// Separators count once however many stand together, and not at all at an end: servers behind may trim and squeeze.
    private func folds(_ name: UnsafeBufferPointer<UInt8>, to start: Int, _ end: Int) -> Bool {
        var at = 0
        var wanted = start
        while at < name.count {
            let byte = unsafe Self.folded(name[at])
            at &+= 1
            if byte == 0x2d {
                while at < name.count, unsafe Self.folded(name[at]) == 0x2d { at &+= 1 }
                if at == name.count { break }
                if wanted == start { continue }
            }
            guard wanted < end, names[wanted] == byte else { return false }
            wanted &+= 1
        }
        return wanted == end
    }

    /// Marks every protected field of a request so that it does not go on.
    ///
    /// A `Connection` field that names a protected field is told as a reason to refuse the request: it would make the
    /// next hop drop what is set here.
    public func protect(_ head: RequestHead, _ input: UnsafePointer<UInt8>) -> Protection {
        var protection = Protection(reason: .none, removed: 0)
        for i in 0..<head.fieldCount {
            let field = head[i]
            if field.id == .connection {
                let value = unsafe UnsafeBufferPointer(start: input + field.value.start, count: field.value.count)
                if unsafe namesProtected(value) { protection.reason = .connectionNamesProtected }
            }
            let name = unsafe UnsafeBufferPointer(start: input + field.name.start, count: field.name.count)
            if unsafe isProtected(name) {
                head.fields.drop(i)
                protection.removed &+= 1
            }
        }
        return protection
    }

    /// Whether some `Connection` field of a request names a protected field.
    public func isNamedByConnection(_ head: RequestHead, _ input: UnsafePointer<UInt8>) -> Bool {
        var i = head.first(.connection)
        while i >= 0 {
            let value = head[i].value
            if unsafe namesProtected(UnsafeBufferPointer(start: input + value.start, count: value.count)) {
                return true
            }
            i = head.fields.next(.connection, after: i)
        }
        return false
    }

    /// Marks every protected field of a head or a trailer section.
    public func dropProtected(in fields: FieldTable, _ input: UnsafePointer<UInt8>) {
        for i in 0..<fields.count {
            let name = fields[i].name
            if unsafe isProtected(UnsafeBufferPointer(start: input + name.start, count: name.count)) { fields.drop(i) }
        }
    }

    /// Whether a list of connection options holds a protected name.
    private func namesProtected(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
        var start = 0
        while start < value.count {
            var end = start
            while end < value.count, unsafe value[end] != 0x2c { end &+= 1 }
            var first = start
            var last = end
            while first < last, unsafe value[first] == 0x20 || value[first] == 0x09 { first &+= 1 }
            while last > first, unsafe value[last &- 1] == 0x20 || value[last &- 1] == 0x09 { last &-= 1 }
            if unsafe isProtected(UnsafeBufferPointer(rebasing: value[first..<last])) { return true }
            start = end &+ 1
        }
        return false
    }

    // MARK: The lines

    /// The header lines for a caller with these claims: `X-User-Id: 1` and a line end each.
    ///
    /// Strings, numbers and booleans are told as they are, arrays of them separated by commas. What could break a line
    /// or a list is percent-encoded: `%`, `,`, controls, blanks at the ends, and everything that is not ASCII (as
    /// UTF-8). A claim that is absent, null, empty, an object or too long gives no line.
    public func block(for claims: Claims) -> [UInt8] {
        var block: [UInt8] = []
        block.reserveCapacity(256)
        for header in headers {
            let start = block.count
            block += header.header
            block.append(0x3a)
            block.append(0x20)
            let valueStart = block.count
            let isTold = Self.append(claims.find(header.claim), of: claims, to: &block)
            let length = block.count - valueStart
            guard isTold, length > 0, length <= Self.longestValue, block.count + 2 <= Self.longestBlock else {
                block.removeSubrange(start...)
                continue
            }
            block.append(0x0d)
            block.append(0x0a)
        }
        return block
    }

    private static func append(_ node: Int, of claims: Claims, to block: inout [UInt8]) -> Bool {
        guard node >= 0 else { return false }
        let document = claims.document
        switch document.kind(node) {
        case .null, .object: return false
        case .array:
            var child = document.firstChild(node)
            for index in 0..<document.childCount(node) {
                switch document.kind(child) {
                case .null, .object, .array: return false
                default: break
                }
                if index > 0 { block.append(0x2c) }
                unsafe append(document.text(child), to: &block)
                child = document.next(child)
            }
            return true
        default:
            unsafe append(document.text(node), to: &block)
            return true
        }
    }

    private static let digits: StaticString = "0123456789ABCDEF"

    private static func append(_ text: UnsafeBufferPointer<UInt8>, to block: inout [UInt8]) {
        // More than a line may hold: told by its length, which is checked by the caller.
        guard text.count <= longestValue else {
            block += [UInt8](repeating: 0x78, count: longestValue + 1)
            return
        }
        for index in 0..<text.count {
            let byte = unsafe text[index]
            let isEdge = index == 0 || index == text.count - 1
            if byte > 0x20 && byte < 0x7f && byte != 0x25 && byte != 0x2c || byte == 0x20 && !isEdge {
                block.append(byte)
            } else {
                block.append(0x25)
                unsafe block.append(digits.utf8Start[Int(byte >> 4)])
                unsafe block.append(digits.utf8Start[Int(byte & 15)])
            }
        }
    }
}

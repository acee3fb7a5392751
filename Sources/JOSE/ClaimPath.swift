// HOT. Where a claim is: names of members within each other, prepared once.
import Glibc

/// The place of a claim: `roles`, `realm_access.roles`, or names that hold dots given one by one.
///
/// Immutable, so every thread may use it.
@safe
public final class ClaimPath: @unchecked Sendable, Equatable, CustomStringConvertible {
    // Exception: @unchecked because of the pointers; both are written in `init` only.
    private let bytes: UnsafeMutablePointer<UInt8>
    private let ends: UnsafeMutablePointer<Int32>
    /// Number of names.
    public let count: Int
    /// Whether a member with the whole text as its name comes first (`https://example.com/roles`).
    let literalFirst: Bool
    private let length: Int
    /// The path as it was written.
    public let description: String

    /// A path as written in a configuration: names separated by dots.
    ///
    /// A top-level member whose name is the whole text goes first, so that `https://example.com/roles` needs no quoting.
    public convenience init(_ text: String) {
        let names = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        self.init(names: names, literalFirst: names.count > 1, description: text)
    }

    /// A path of exactly these names.
    public convenience init(names: [String]) {
        self.init(names: names, literalFirst: false, description: names.joined(separator: "."))
    }

    private init(names: [String], literalFirst: Bool, description: String) {
        // Names are stored with a dot between, so that the whole text is there as well.
        let joined = Array(names.joined(separator: ".").utf8)
        count = names.count
        length = joined.count
        self.literalFirst = literalFirst
        self.description = description
        unsafe bytes = .allocate(capacity: max(1, joined.count))
        unsafe ends = .allocate(capacity: max(1, names.count))
        for (i, byte) in joined.enumerated() { unsafe bytes[i] = byte }
        var end = 0
        for (i, name) in names.enumerated() {
            end += name.utf8.count
            unsafe ends[i] = Int32(end)
            end += 1
        }
    }

    deinit {
        unsafe bytes.deallocate()
        unsafe ends.deallocate()
    }

    /// Whether both are the same names, found in the same way.
    public static func == (a: ClaimPath, b: ClaimPath) -> Bool {
        guard a.count == b.count, a.length == b.length, a.literalFirst == b.literalFirst else { return false }
        return unsafe memcmp(a.bytes, b.bytes, a.length) == 0 && memcmp(a.ends, b.ends, a.count &* 4) == 0
    }

    /// Index of the value, or -1.
    func find(in document: JSONDocument) -> Int {
        if literalFirst {
            let hit = unsafe document.member(0, bytes, length)
            if hit >= 0 { return hit }
        }
        var value = 0
        var start = 0
        var i = 0
        while i < count {
            let end = unsafe Int(ends[i])
            value = unsafe document.member(value, bytes + start, end &- start)
            if value < 0 { return -1 }
            start = end &+ 1
            i &+= 1
        }
        return value
    }
}

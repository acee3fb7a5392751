// HOT. The one form of a path that policy, routing, logs and the upstream all see.
public import Bytes

/// Makes the canonical form of a request's path.
///
/// One per worker, reused; allocates only in `init`.
///
/// Whatever two hops could read differently is either brought into one form or refused:
/// unreserved characters are decoded, other escapes get upper-case digits, `//` is merged and literal dot segments
/// are resolved; encoded separators, controls, dot segments and double encodings are refused, as is a path that
/// climbs above the root or whose bytes are not UTF-8. Doing it again changes nothing.
@safe
public final class CanonicalTarget {
    /// What a route may allow.
    public struct Options: Sendable {
        /// `%2F` is kept, and is no separator for matching; without it a path that holds one is refused.
        public var encodedSlashes: Bool

        /// Everything refused that can be refused.
        public init(encodedSlashes: Bool = false) {
            self.encodedSlashes = encodedSlashes
        }
    }

    /// The query's bytes in the input, without `?`.
    ///
    /// It is passed on as it is.
    public private(set) var query = Slice()
    /// Whether there is a `?`.
    public private(set) var hasQuery = false

    /// The longest path it can hold.
    public let capacity: Int

    private var current: PathWriter
    private var spare: PathWriter
    private var options = Options()

    /// A target for paths of up to `capacity` bytes; escaping may make a path up to three times as long.
    public init(capacity: Int) {
        self.capacity = max(16, min(capacity, 1 << 20))
        current = PathWriter(capacity: self.capacity)
        spare = PathWriter(capacity: self.capacity)
    }

    deinit {
        current.deallocate()
        spare.deallocate()
    }

    /// The canonical path, which begins with `/`; valid until the next call.
    @inline(__always)
    public var path: UnsafeBufferPointer<UInt8> { unsafe current.bytes }

    /// Whether the path holds a `%2F`, which only `Options.encodedSlashes` lets through.
    @inline(__always)
    public var hasEncodedSlash: Bool { current.hasEncodedSlash }

    /// Canonicalises the path of `target`, a slice of `input`: path and query as in `RequestHead.pathAndQuery`.
    ///
    /// An empty path (of an absolute target) is `/`. After an error the path is `/`, and the query empty.
    public func canonicalize(
        _ input: Span<UInt8>,
        target: Slice,
        options: Options = Options()
    ) -> ProtocolError? {
        self.options = options
        hasQuery = false
        query = Slice()
        let end = target.end
        guard end <= input.count else {
            current.reset()
            return .pathNotOrigin
        }
        let pathEnd = ByteScan.index(of: 0x3f, in: input, target.start, end)
        if let error = current.write(input, target.start, pathEnd, options: options, resolveDots: true) {
            current.reset()
            return error
        }
        if pathEnd < end {
            if ByteScan.endOfTarget(input, pathEnd) < end {
                current.reset()
                return .targetCharacter
            }
            hasQuery = true
            query = Slice(pathEnd &+ 1, end)
        }
        return nil
    }

    /// Replaces the first `segments` segments of the path with `prefix`.
    ///
    /// Segments are counted, not bytes: their parameters (`/api;v=1/x`), which do not count for matching, go with them.
    /// The result is canonicalised again; it is refused if it has dot segments or does not begin with the prefix, or if
    /// the path has fewer segments. After an error the path is as before.
    public func replacePrefix(segments: Int, with prefix: UnsafeBufferPointer<UInt8>) -> ProtocolError? {
        let old = unsafe current.bytes
        guard segments >= 0 else { return .rewriteOutsidePrefix }
        // The root has no segment and nothing behind it.
        var rest = old.count == 1 ? 1 : 0
        for _ in 0..<segments {
            guard rest < old.count else { return .rewriteOutsidePrefix }
            rest &+= 1
            while rest < old.count, unsafe old[rest] != 0x2f { rest &+= 1 }
        }
        let error = unsafe spare.join(prefix, .init(rebasing: old[rest...]), options: options)
        if let error { return error == .pathTooLong ? error : .rewriteOutsidePrefix }
        swap(&current, &spare)
        return nil
    }
}

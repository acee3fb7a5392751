// HOT. When to parse an incomplete head again.

/// Decides whether bytes that arrived since the last attempt could change its answer, so that a client that sends a
/// head in single bytes costs no more than one that sends it at once.
public enum HeadScanner {
    /// Whether parsing `input` again is worth while, after an attempt with its first `scanned` bytes gave `.needMore`.
    ///
    /// It is when the empty line may have arrived, when a limit may have been passed, or when the input has grown by
    /// half since (so that what is malformed is refused early at a cost that stays linear).
    public static func isWorthParsing(
        _ input: Span<UInt8>,
        scanned: Int,
        limits: HeadLimits = HeadLimits()
    ) -> Bool {
        if input.count &- scanned >= scanned &>> 1 || input.count >= limits.head { return true }
        var i = max(0, scanned &- 3)
        while true {
            i = ByteScan.index(of: 0x0a, in: input, i, input.count)
            guard i < input.count else { return false }
            // An LF that ends an empty line, with or without its CR, or one that has no CR at all.
            if i == 0 || input[i &- 1] != 0x0d { return true }
            if i >= 2, input[i &- 2] == 0x0a { return true }
            i &+= 1
        }
    }
}

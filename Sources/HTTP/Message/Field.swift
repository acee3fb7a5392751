// HOT. One field line of a message, as ranges of the bytes it was parsed from.
public import Bytes

/// One field line (RFC 9110 §5): where its name and value are, what it is, and whether it is copied onwards.
public struct Field: Sendable {
    /// The name's bytes.
    public var name: Slice
    /// The value's bytes, without white space around them.
    public var value: Slice
    /// Which field it is.
    public var id: FieldID
    /// Not to be copied to the next hop.
    public var isDropped: Bool
    /// Named by a `Connection` field of the same message.
    public var connectionNamed: Bool
    /// The name holds a byte outside `[A-Za-z0-9-]`.
    public var hasUnusualName: Bool
    /// The line is `name: value` and nothing else, so that it can be copied as it stands.
    var isPlain: Bool

    /// A field that is copied onwards.
    public init(name: Slice, value: Slice, id: FieldID) {
        self.name = name
        self.value = value
        self.id = id
        isDropped = false
        connectionNamed = false
        hasUnusualName = false
        isPlain = false
    }
}

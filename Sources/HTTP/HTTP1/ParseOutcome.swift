// HOT. What a parser says about the bytes it was given.

/// The result of parsing the head of a message.
public enum ParseOutcome: Equatable, Sendable {
    /// The whole head was there and is valid.
    case complete
    /// All bytes so far are valid, and there must be more.
    case needMore
    /// The bytes break the protocol; the connection is closed after the answer.
    case refuse(ProtocolError)
}

/// The result of parsing field lines: where the bytes behind the empty line begin.
enum SectionOutcome {
    case complete(Int)
    case needMore
    case refuse(ProtocolError)
}

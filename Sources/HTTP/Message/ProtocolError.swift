// COLD. Every way in which the bytes of a message can break the protocol, and what is said about it.

/// A violation of the protocol: which rule, the status that answers it, and a sentence that echoes no input.
///
/// After any of these the connection is closed: where the message ends is no longer known.
public enum ProtocolError: UInt8, Error, CaseIterable, Sendable {
    // The request line.
    /// The request line is not a method, a target and a version, separated by single spaces.
    case requestLineMalformed
    /// The request line is longer than this server allows.
    case requestLineTooLong
    /// The request method is not a token.
    case methodMalformed
    /// The request method is longer than any this server knows.
    case methodTooLong
    /// The CONNECT method is not supported.
    case connectNotSupported
    /// The request target is in none of the allowed forms.
    case targetMalformed
    /// The request target holds a character that is not allowed there.
    case targetCharacter
    /// The scheme of the request target is not http or https.
    case targetScheme
    /// The request target holds user information.
    case targetUserinfo
    /// The protocol version in the request line is malformed.
    case versionMalformed
    /// The protocol version is not supported; use HTTP/1.1.
    case versionNotSupported

    // The field section.
    /// The header section is larger than this server allows.
    case headTooLarge
    /// A header field is larger than this server allows.
    case fieldTooLarge
    /// The request has more header fields than this server allows.
    case tooManyFields
    /// A line ends with LF alone; lines end with CR LF.
    case bareLineFeed
    /// A CR is not followed by LF.
    case bareCarriageReturn
    /// A header line begins with white space; folded lines are not allowed.
    case lineFolding
    /// A header field has an empty name.
    case fieldNameEmpty
    /// A header field's name is not a token, or its line has no colon.
    case fieldNameMalformed
    /// There is white space between a header field's name and its colon.
    case fieldNameSpace
    /// A header field's value holds a control character.
    case fieldValueCharacter
    /// A header field that may stand only once is repeated.
    case duplicateField
    /// The Cookie header holds more cookies than this server allows.
    case tooManyCookies

    // Host and target.
    /// The Host header is missing.
    case hostMissing
    /// The Host header is repeated.
    case hostDuplicate
    /// The Host header or the host of the request target is malformed.
    case hostMalformed
    /// The port in the Host header or the request target is malformed.
    case portMalformed

    // Framing and connection.
    /// The Content-Length header is not a decimal number.
    case contentLengthMalformed
    /// The Content-Length header is repeated.
    case contentLengthDuplicate
    /// The Content-Length header announces more than this server can count.
    case contentLengthTooLarge
    /// The Transfer-Encoding header is malformed, or chunked is not its one and last coding.
    case transferEncodingMalformed
    /// The Transfer-Encoding header names a coding other than chunked.
    case transferEncodingUnknown
    /// The Transfer-Encoding header is not allowed in HTTP/1.0.
    case transferEncodingVersion
    /// Transfer-Encoding and Content-Length are both present.
    case framingConflict
    /// The Connection header is not a list of tokens, or is too long a list.
    case connectionMalformed
    /// The Connection header names a field that is not for one connection only.
    case connectionNamesEssential
    /// The Expect header asks for something other than 100-continue.
    case expectationUnknown

    // Chunked content and trailers.
    /// A chunk size is not one to eight hexadecimal digits.
    case chunkSizeMalformed
    /// A chunk extension is malformed.
    case chunkExtensionMalformed
    /// Chunk extensions are longer than this server allows.
    case chunkExtensionTooLong
    /// A chunk's line does not end with CR LF.
    case chunkLineEnd
    /// A chunk's data is not followed by CR LF.
    case chunkDataEnd
    /// The trailer section is larger than this server allows.
    case trailersTooLarge

    // The canonical path.
    /// The path does not begin with a slash.
    case pathNotOrigin
    /// The path is longer than this server allows.
    case pathTooLong
    /// The path holds a character that is not allowed there.
    case pathCharacter
    /// The path holds a backslash.
    case pathBackslash
    /// A percent sign in the path is not followed by two hexadecimal digits.
    case pathEscapeMalformed
    /// The path holds an encoded slash or backslash.
    case pathEscapedSlash
    /// The path holds an encoded control character.
    case pathEscapedControl
    /// The path holds an encoded semicolon, question mark or number sign.
    case pathEscapedDelimiter
    /// The path holds a delimiter that is percent-encoded twice.
    case pathEscapedTwice
    /// The path holds an encoded dot segment.
    case pathEscapedDots
    /// The path holds a dot segment or an empty segment with parameters.
    case pathDotParameters
    /// The path climbs above the root.
    case pathAboveRoot
    /// The encoded bytes of the path are not valid UTF-8.
    case pathNotUTF8
    /// The rewritten path is not canonical or leaves its prefix.
    case rewriteOutsidePrefix

    // Responses: the upstream's fault.
    /// The upstream's status line is malformed.
    case upstreamStatusLine
    /// The upstream answered with an unsupported protocol version.
    case upstreamVersion
    /// The upstream's header section is larger than this server allows.
    case upstreamHeadTooLarge
    /// The upstream sent a malformed header field.
    case upstreamField
    /// The upstream sent contradictory or unknown message framing.
    case upstreamFraming
    /// The upstream sent a malformed Connection header.
    case upstreamConnection
    /// The upstream sent malformed chunked content.
    case upstreamChunk
    /// The upstream sent a malformed trailer section.
    case upstreamTrailers
}

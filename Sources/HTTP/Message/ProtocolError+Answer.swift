// COLD. What is answered for each violation of the protocol.

extension ProtocolError {
    /// The status of the answer.
    public var status: Int {
        switch self {
        case .contentLengthTooLarge:
            413
        case .requestLineTooLong, .pathTooLong:
            414
        case .expectationUnknown:
            417
        case .headTooLarge, .fieldTooLarge, .tooManyFields, .tooManyCookies, .trailersTooLarge:
            431
        case .methodTooLong, .connectNotSupported, .transferEncodingUnknown:
            501
        case .upstreamStatusLine, .upstreamVersion, .upstreamHeadTooLarge, .upstreamField, .upstreamFraming,
            .upstreamConnection, .upstreamChunk, .upstreamTrailers:
            502
        case .versionNotSupported:
            505
        default: 400
        }
    }

    /// The stable name of the violation, for problem bodies, logs and metrics.
    public var code: StaticString {
        switch self {
        case .requestLineMalformed: "request_line_malformed"
        case .requestLineTooLong: "request_line_too_long"
        case .methodMalformed: "method_malformed"
        case .methodTooLong: "method_too_long"
        case .connectNotSupported: "connect_not_supported"
        case .targetMalformed: "target_malformed"
        case .targetCharacter: "target_character"
        case .targetScheme: "target_scheme"
        case .targetUserinfo: "target_userinfo"
        case .versionMalformed: "version_malformed"
        case .versionNotSupported: "version_not_supported"
        case .headTooLarge: "head_too_large"
        case .fieldTooLarge: "field_too_large"
        case .tooManyFields: "too_many_fields"
        case .bareLineFeed: "bare_line_feed"
        case .bareCarriageReturn: "bare_carriage_return"
        case .lineFolding: "line_folding"
        case .fieldNameEmpty: "field_name_empty"
        case .fieldNameMalformed: "field_name_malformed"
        case .fieldNameSpace: "field_name_space"
        case .fieldValueCharacter: "field_value_character"
        case .duplicateField: "duplicate_field"
        case .tooManyCookies: "too_many_cookies"
        case .hostMissing: "host_missing"
        case .hostDuplicate: "host_duplicate"
        case .hostMalformed: "host_malformed"
        case .portMalformed: "port_malformed"
        case .contentLengthMalformed: "content_length_malformed"
        case .contentLengthDuplicate: "content_length_duplicate"
        case .contentLengthTooLarge: "content_length_too_large"
        case .transferEncodingMalformed: "transfer_encoding_malformed"
        case .transferEncodingUnknown: "transfer_encoding_unknown"
        case .transferEncodingVersion: "transfer_encoding_version"
        case .framingConflict: "framing_conflict"
        case .connectionMalformed: "connection_malformed"
        case .connectionNamesEssential: "connection_names_essential"
        case .expectationUnknown: "expectation_unknown"
        case .chunkSizeMalformed: "chunk_size_malformed"
        case .chunkExtensionMalformed: "chunk_extension_malformed"
        case .chunkExtensionTooLong: "chunk_extension_too_long"
        case .chunkLineEnd: "chunk_line_end"
        case .chunkDataEnd: "chunk_data_end"
        case .trailersTooLarge: "trailers_too_large"
        case .pathNotOrigin: "path_not_origin"
        case .pathTooLong: "path_too_long"
        case .pathCharacter: "path_character"
        case .pathBackslash: "path_backslash"
        case .pathEscapeMalformed: "path_escape_malformed"
        case .pathEscapedSlash: "path_escaped_slash"
        case .pathEscapedControl: "path_escaped_control"
        case .pathEscapedDelimiter: "path_escaped_delimiter"
        case .pathEscapedTwice: "path_escaped_twice"
        case .pathEscapedDots: "path_escaped_dots"
        case .pathDotParameters: "path_dot_parameters"
        case .pathAboveRoot: "path_above_root"
        case .pathNotUTF8: "path_not_utf8"
        case .rewriteOutsidePrefix: "rewrite_outside_prefix"
        case .upstreamStatusLine: "upstream_status_line"
        case .upstreamVersion: "upstream_version"
        case .upstreamHeadTooLarge: "upstream_head_too_large"
        case .upstreamField: "upstream_field"
        case .upstreamFraming: "upstream_framing"
        case .upstreamConnection: "upstream_connection"
        case .upstreamChunk: "upstream_chunk"
        case .upstreamTrailers: "upstream_trailers"
        }
    }

    /// One sentence for the client.
    public var detail: StaticString {
        switch self {
        case .requestLineMalformed:
            "The request line is not a method, a target and a version, separated by single spaces."
        case .requestLineTooLong: "The request line is longer than this server allows."
        case .methodMalformed: "The request method is not a token."
        case .methodTooLong: "The request method is longer than any this server knows."
        case .connectNotSupported: "The CONNECT method is not supported."
        case .targetMalformed: "The request target is in none of the allowed forms."
        case .targetCharacter: "The request target holds a character that is not allowed there."
        case .targetScheme: "The scheme of the request target is not http or https."
        case .targetUserinfo: "The request target holds user information."
        case .versionMalformed: "The protocol version in the request line is malformed."
        case .versionNotSupported: "The protocol version is not supported; use HTTP/1.1."
        case .headTooLarge: "The header section is larger than this server allows."
        case .fieldTooLarge: "A header field is larger than this server allows."
        case .tooManyFields: "The request has more header fields than this server allows."
        case .bareLineFeed: "A line ends with LF alone; lines end with CR LF."
        case .bareCarriageReturn: "A CR is not followed by LF."
        case .lineFolding: "A header line begins with white space; folded lines are not allowed."
        case .fieldNameEmpty: "A header field has an empty name."
        case .fieldNameMalformed: "A header field's name is not a token, or its line has no colon."
        case .fieldNameSpace: "There is white space between a header field's name and its colon."
        case .fieldValueCharacter: "A header field's value holds a control character."
        case .duplicateField: "A header field that may stand only once is repeated."
        case .tooManyCookies: "The Cookie header holds more cookies than this server allows."
        case .hostMissing: "The Host header is missing."
        case .hostDuplicate: "The Host header is repeated."
        case .hostMalformed: "The Host header or the host of the request target is malformed."
        case .portMalformed: "The port in the Host header or the request target is malformed."
        case .contentLengthMalformed: "The Content-Length header is not a decimal number."
        case .contentLengthDuplicate: "The Content-Length header is repeated."
        case .contentLengthTooLarge: "The Content-Length header announces more than this server can count."
        case .transferEncodingMalformed:
            "The Transfer-Encoding header is malformed, or chunked is not its one and last coding."
        case .transferEncodingUnknown: "The Transfer-Encoding header names a coding other than chunked."
        case .transferEncodingVersion: "The Transfer-Encoding header is not allowed in HTTP/1.0."
        case .framingConflict: "Transfer-Encoding and Content-Length are both present."
        case .connectionMalformed: "The Connection header is not a list of tokens, or is too long a list."
        case .connectionNamesEssential: "The Connection header names a field that is not for one connection only."
        case .expectationUnknown: "The Expect header asks for something other than 100-continue."
        case .chunkSizeMalformed: "A chunk size is not one to eight hexadecimal digits."
        case .chunkExtensionMalformed: "A chunk extension is malformed."
        case .chunkExtensionTooLong: "Chunk extensions are longer than this server allows."
        case .chunkLineEnd: "A chunk's line does not end with CR LF."
        case .chunkDataEnd: "A chunk's data is not followed by CR LF."
        case .trailersTooLarge: "The trailer section is larger than this server allows."
        case .pathNotOrigin: "The path does not begin with a slash."
        case .pathTooLong: "The path is longer than this server allows."
        case .pathCharacter: "The path holds a character that is not allowed there."
        case .pathBackslash: "The path holds a backslash."
        case .pathEscapeMalformed: "A percent sign in the path is not followed by two hexadecimal digits."
        case .pathEscapedSlash: "The path holds an encoded slash or backslash."
        case .pathEscapedControl: "The path holds an encoded control character."
        case .pathEscapedDelimiter: "The path holds an encoded semicolon, question mark or number sign."
        case .pathEscapedTwice: "The path holds a delimiter that is percent-encoded twice."
        case .pathEscapedDots: "The path holds an encoded dot segment."
        case .pathDotParameters: "The path holds a dot segment or an empty segment with parameters."
        case .pathAboveRoot: "The path climbs above the root."
        case .pathNotUTF8: "The encoded bytes of the path are not valid UTF-8."
        case .rewriteOutsidePrefix: "The rewritten path is not canonical or leaves its prefix."
        case .upstreamStatusLine: "The upstream's status line is malformed."
        case .upstreamVersion: "The upstream answered with an unsupported protocol version."
        case .upstreamHeadTooLarge: "The upstream's header section is larger than this server allows."
        case .upstreamField: "The upstream sent a malformed header field."
        case .upstreamFraming: "The upstream sent contradictory or unknown message framing."
        case .upstreamConnection: "The upstream sent a malformed Connection header."
        case .upstreamChunk: "The upstream sent malformed chunked content."
        case .upstreamTrailers: "The upstream sent a malformed trailer section."
        }
    }

    /// The same violation when an upstream committed it: a 502.
    public var fromUpstream: ProtocolError {
        switch self {
        case .headTooLarge, .fieldTooLarge, .tooManyFields: .upstreamHeadTooLarge
        case .contentLengthMalformed, .contentLengthDuplicate, .contentLengthTooLarge, .transferEncodingMalformed,
            .transferEncodingUnknown, .transferEncodingVersion, .framingConflict:
            .upstreamFraming
        case .connectionMalformed, .connectionNamesEssential: .upstreamConnection
        case .chunkSizeMalformed, .chunkExtensionMalformed, .chunkExtensionTooLong, .chunkLineEnd, .chunkDataEnd:
            .upstreamChunk
        case .trailersTooLarge: .upstreamTrailers
        case .upstreamStatusLine, .upstreamVersion, .upstreamHeadTooLarge, .upstreamField, .upstreamFraming,
            .upstreamConnection, .upstreamChunk, .upstreamTrailers:
            self
        default: .upstreamField
        }
    }
}

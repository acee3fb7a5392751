// COLD. Why a handshake or a connection failed: a stable code, whose fault it was, and words for the log.
internal import COpenSSL

/// Why a TLS connection failed.
public struct TLSFailure: Error, Equatable, Sendable {
    /// Whose fault a failure is.
    public enum Fault: Sendable {
        /// The client's.
        case client
        /// The upstream's.
        case upstream
        /// Ours.
        case gateway
    }

    /// What happened; the raw value is a stable code for logs and metrics.
    public enum Kind: UInt8, Sendable, CaseIterable {
        /// The other side ended the connection before the handshake was done.
        case closed
        /// The connection was reset, or the system reported another error.
        case lost
        /// What arrived is not TLS, such as a clear-text request.
        case notTLS
        /// No common protocol version.
        case noCommonVersion
        /// No common cipher suite, group or signature algorithm.
        case noCommonCipher
        /// No common application protocol (ALPN, RFC 7301).
        case noCommonProtocol
        /// No certificate is for the name that was asked for (RFC 6066 §3).
        case unknownName
        /// The other side had to send a certificate and did not.
        case certificateMissing
        /// The other side's certificate did not pass; ``TLSFailure/reason`` says why.
        case certificateRejected
        /// The other side refused and said so; ``TLSFailure/reason`` says why.
        case alertReceived
        /// More messages after the handshake than anybody needs: key updates or tickets.
        case tooManyMessages
        /// The other side broke the protocol.
        case protocolError
        /// OpenSSL could not go on.
        case internalError
    }

    /// What happened.
    public let kind: Kind
    /// Whose fault it is.
    public let fault: Fault
    /// By kind: OpenSSL's verification code, the alert's number, or OpenSSL's error code.
    public let detail: UInt

    /// A failure.
    init(_ kind: Kind, fault: Fault, detail: UInt = 0) {
        self.kind = kind
        self.fault = kind == .internalError ? .gateway : fault
        self.detail = detail
    }

    /// A failure from OpenSSL's error code; `verification` is what verifying the other side's certificate came to.
    init(code: UInt, verification: Int, fault: Fault) {
        let reason = ErrorQueue.reason(code)
        switch reason {
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
            self.init(.certificateRejected, fault: fault, detail: UInt(bitPattern: verification))
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: self.init(.certificateMissing, fault: fault, detail: code)
        case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST, SSL_R_WRONG_VERSION_NUMBER:
            self.init(.notTLS, fault: fault, detail: code)
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_VERSION_TOO_HIGH, SSL_R_NO_PROTOCOLS_AVAILABLE,
            SSL_R_WRONG_SSL_VERSION:
            self.init(.noCommonVersion, fault: fault, detail: code)
        case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_SUITABLE_GROUPS,
            SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
            self.init(.noCommonCipher, fault: fault, detail: code)
        case SSL_R_NO_APPLICATION_PROTOCOL: self.init(.noCommonProtocol, fault: fault, detail: code)
        case 1000..<1256: self.init(.alertReceived, fault: fault, detail: UInt(reason - 1000))
        case Int32(ERR_R_MALLOC_FAILURE), Int32(ERR_R_INTERNAL_ERROR):
            self.init(.internalError, fault: fault, detail: code)
        default: self.init(.protocolError, fault: fault, detail: code)
        }
    }

    /// A stable name for logs and metrics.
    public var code: StaticString { kind.code }

    /// What the other side, or OpenSSL, says of it, in words.
    public var reason: String {
        switch kind {
        case .certificateRejected:
            detail == Self.unsoundName
                ? "a name in the certificate holds a control character"
                : X509_verify_cert_error_string(Int(bitPattern: detail)).map { String(cString: $0) } ?? "rejected"
        // RFC 8446 §6.2; OpenSSL has no words for it.
        case .alertReceived where detail == 116: "certificate required"
        case .alertReceived: String(cString: SSL_alert_desc_string_long(Int32(truncatingIfNeeded: detail)))
        case .closed: "ended before the handshake was done"
        case .lost: "connection lost"
        case .noCommonProtocol: "no common application protocol"
        case .unknownName: "no certificate is for this name"
        case .tooManyMessages: "too many messages after the handshake"
        default: detail == 0 ? "unknown error" : ErrorQueue.text(detail)
        }
    }

    /// `detail` of a certificate that verified but has a name nobody can compare safely.
    static let unsoundName = UInt.max
}

extension TLSFailure.Kind {
    /// A stable name for logs and metrics.
    public var code: StaticString {
        switch self {
        case .closed: "tls_closed"
        case .lost: "tls_connection_lost"
        case .notTLS: "tls_not_tls"
        case .noCommonVersion: "tls_no_common_version"
        case .noCommonCipher: "tls_no_common_cipher"
        case .noCommonProtocol: "tls_no_common_protocol"
        case .unknownName: "tls_unknown_name"
        case .certificateMissing: "tls_certificate_missing"
        case .certificateRejected: "tls_certificate_rejected"
        case .alertReceived: "tls_alert_received"
        case .tooManyMessages: "tls_too_many_messages"
        case .protocolError: "tls_protocol_error"
        case .internalError: "tls_internal_error"
        }
    }
}

// COLD. What is wrong with certificates, keys and other input of a TLS context, in words for operators.

/// Something that forbids making a TLS context.
///
/// Never holds a key's bytes.
public struct TLSError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What the error is about.
    public enum Field: String, Sendable {
        /// A certificate chain.
        case certificate
        /// A private key.
        case key
        /// An OCSP response.
        case ocsp
        /// The authorities that client certificates are checked with.
        case clientCA = "client_ca"
        /// The authorities that an upstream's certificate is checked with.
        case ca
        /// The name that an upstream must have.
        case serverName = "server_name"
        /// OpenSSL itself.
        case library
    }

    /// What it is about.
    public let field: Field
    /// Which of the certificates, counted from 0; nil when it is about none of them.
    public let index: Int?
    /// What is wrong, as the end of a sentence that begins with the file or field: `is not for this key`.
    public let message: String

    /// An error.
    public init(_ field: Field, _ message: String, index: Int? = nil) {
        self.field = field
        self.index = index
        self.message = message
    }

    /// Field and message.
    public var description: String { "\(field.rawValue)\(index.map { "[\($0)]" } ?? ""): \(message)" }
}

/// Something worth an operator's look that forbids nothing.
public struct TLSWarning: Equatable, Sendable, CustomStringConvertible {
    /// Which of the certificates, counted from 0.
    public let index: Int
    /// The certificate's label: the file it came from.
    public let label: String
    /// What is strange, as the end of a sentence that begins with the label: `expires in 3 days`.
    public let message: String

    /// Label and message.
    public var description: String { "\(label): \(message)" }
}

// COLD. `portcullis key generate`.
public import ArgumentParser
import Foundation
import Glibc
public import JOSE

/// Makes keys.
struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Make keys for issuers and for the signed assertion.",
        subcommands: [Generate.self]
    )

    /// Makes one key.
    struct Generate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a new key.",
            discussion: """
                With --out PREFIX it writes PREFIX.pem (private, readable by its owner only), PREFIX.pub.pem and \
                PREFIX.jwks.json (what verifies); for HS algorithms PREFIX.secret. Without it the private key is printed.

                Example: portcullis key generate --algorithm ES256 --out keys/signing
                """
        )

        /// How a key is printed.
        enum Format: String, ExpressibleByArgument, CaseIterable {
            case pem
            case jwk
        }

        @Option(name: .long, help: "RS256…512, PS256…512, ES256…512, EdDSA or HS256…512.")
        var algorithm: Algorithm

        @Option(name: .long, help: "Beginning of the files' names.")
        var out: String?

        @Option(name: .long, help: "What is printed without --out: the private key as PEM, or the public key as JWK.")
        var format = Format.pem

        @Flag(name: .long, help: "Overwrite files that exist.")
        var force = false

        func run() throws {
            if algorithm.isSymmetric { return try secret() }
            let key = try readable("cannot make the key") { () throws(KeyError) in try SigningKey.generate(algorithm) }
            guard let pem = key.privatePEM, let publicPEM = key.publicKey.pem, let jwk = key.publicKey.jwk else {
                throw CommandFailure("OpenSSL could not write the key")
            }
            guard let out else {
                print(format == .pem ? pem : jwk, terminator: format == .pem ? "" : "\n")
                return
            }
            try NewFile.write(
                [
                    (out + ".pem", pem, 0o600), (out + ".pub.pem", publicPEM, 0o644),
                    (out + ".jwks.json", "{\"keys\":[\(jwk)]}\n", 0o644),
                ],
                force: force
            )
        }

        private func secret() throws {
            var generator = SystemRandomNumberGenerator()
            let count = algorithm == .hs256 ? 32 : algorithm == .hs384 ? 48 : 64
            // As text, so that it can be put into an environment variable; it is longer than it must be.
            let text = Base64URL.encode(
                (0..<(count * 4 / 3)).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            )
            guard let out else { return print(text) }
            try NewFile.write([(out + ".secret", text, 0o600)], force: force)
        }
    }
}

extension Algorithm: ExpressibleByArgument {
    /// The algorithm of this name.
    public init?(argument: String) { self.init(argument) }

    /// Not listed one by one: the help of each option names them.
    public static var allValueStrings: [String] { [] }

    /// The name.
    public var defaultValueDescription: String { "\(name)" }
}

/// Files that must not be there yet.
enum NewFile {
    /// Writes all of them, or none when one is there already.
    static func write(_ files: [(path: String, text: String, mode: mode_t)], force: Bool) throws {
        for file in files where !force && access(file.path, F_OK) == 0 {
            throw CommandFailure("\(file.path) is there already; use --force to overwrite it")
        }
        for file in files {
            let descriptor = open(file.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, file.mode)
            guard descriptor >= 0 else {
                throw CommandFailure("cannot write \(file.path): \(String(cString: strerror(errno)))")
            }
            defer { close(descriptor) }
            // A file that was there keeps its mode otherwise.
            fchmod(descriptor, file.mode)
            let bytes = Array(file.text.utf8)
            guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
                throw CommandFailure("cannot write \(file.path): \(String(cString: strerror(errno)))")
            }
            print(file.path)
        }
    }
}

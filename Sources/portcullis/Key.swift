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
                With --out PREFIX it writes PREFIX.pem (the private key, for its owner only), PREFIX.pub.pem and \
                PREFIX.jwks.json (what verifies); for HS algorithms PREFIX.secret. Without it the key is printed, but \
                not on a terminal, where it would stay in the scrollback: --print does that.

                Examples:
                  portcullis key generate --algorithm ES256 --out signing
                  portcullis key generate --algorithm HS256 --print
                """
        )

        /// How a key is printed.
        enum Format: String, ExpressibleByArgument, CaseIterable {
            case pem
            case jwk
            case privateJWK = "private-jwk"
        }

        @Option(
            name: .long,
            help: ArgumentHelp("RS256…512, PS256…512, ES256…512, EdDSA or HS256…512.", valueName: "name")
        )
        var algorithm: Algorithm

        @Option(name: .long, help: ArgumentHelp("Beginning of the files' names.", valueName: "prefix"))
        var out: String?

        @Option(
            name: .long,
            help: "What is printed: the private key as PEM, the public key as JWK, or the private key as JWK."
        )
        var format: Format?

        @Option(name: .long, help: ArgumentHelp("Size of an RSA key, 2048 to 8192; unset: 3072.", valueName: "bits"))
        var bits: Int?

        @Flag(name: .long, help: "Print the key, on a terminal too.")
        var print = false

        @Flag(name: .long, help: "Overwrite files that exist.")
        var force = false

        func validate() throws {
            if out != nil, print || format != nil {
                throw ValidationError("--out writes all forms to files; leave out --print and --format")
            }
            if bits != nil, !AlgorithmSet.rsa.contains(algorithm) {
                throw ValidationError("--bits is for RSA keys; \(algorithm.name) has no choice of size")
            }
            if let bits, !(2048...8192).contains(bits) { throw ValidationError("--bits is 2048 to 8192") }
            if algorithm.isSymmetric, format == .pem || format == .jwk {
                throw ValidationError(
                    "a secret has neither PEM nor a public key; leave out --format, or take private-jwk"
                )
            }
        }

        func run() throws {
            if out == nil, !print, format != .jwk, isatty(STDOUT_FILENO) == 1 {
                throw CommandFailure("give --out PREFIX to write the key to files, or --print to show it here")
            }
            let key = try readable("cannot make the key") { () throws(KeyError) in
                try SigningKey.generate(algorithm, rsaBits: bits ?? 3072)
            }
            if let out { return try write(key, to: out) }
            let text: String? =
                switch format {
                case .jwk: key.publicKey.jwk
                case .privateJWK: key.privateJWK
                case .pem, nil: algorithm.isSymmetric ? Self.secret(algorithm) : key.privatePEM
                }
            guard let text else { throw CommandFailure("OpenSSL could not write the key") }
            Swift.print(text, terminator: text.hasSuffix("\n") ? "" : "\n")
        }

        private func write(_ key: SigningKey, to out: String) throws {
            if algorithm.isSymmetric {
                return try NewFile.write([(out + ".secret", Self.secret(algorithm), 0o600)], force: force)
            }
            guard let pem = key.privatePEM, let publicPEM = key.publicKey.pem, let jwk = key.publicKey.jwk else {
                throw CommandFailure("OpenSSL could not write the key")
            }
            try NewFile.write(
                [
                    (out + ".pem", pem, 0o600), (out + ".pub.pem", publicPEM, 0o644),
                    (out + ".jwks.json", "{\"keys\":[\(jwk)]}\n", 0o644),
                ],
                force: force
            )
        }

        /// As text, so that it can be put into an environment variable; longer than it must be.
        private static func secret(_ algorithm: Algorithm) -> String {
            var generator = SystemRandomNumberGenerator()
            let count = algorithm == .hs256 ? 32 : algorithm == .hs384 ? 48 : 64
            return Base64URL.encode(
                (0..<(count * 4 / 3)).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            )
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
            // Never through a link, and never into a file that somebody else just put there.
            let flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (force ? O_TRUNC : O_EXCL)
            let descriptor = open(file.path, flags, file.mode)
            guard descriptor >= 0 else {
                throw CommandFailure("cannot write \(file.path): \(String(cString: strerror(errno)))")
            }
            defer { close(descriptor) }
            // A file that was there keeps its mode otherwise.
            guard fchmod(descriptor, file.mode) == 0 else {
                throw CommandFailure("cannot write \(file.path): \(String(cString: strerror(errno)))")
            }
            let bytes = Array(file.text.utf8)
            guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
                throw CommandFailure("cannot write \(file.path): \(String(cString: strerror(errno)))")
            }
            print(file.path)
        }
    }
}

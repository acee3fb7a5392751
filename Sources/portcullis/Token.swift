// COLD. `portcullis token`: making tokens to try things out, and looking at those of others.
import ArgumentParser
import Foundation
import JOSE

/// Tokens.
struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Make, inspect and verify JSON Web Tokens.",
        subcommands: [Mint.self, Inspect.self, Verify.self]
    )
}

extension TokenCommand {
    /// Makes a token.
    struct Mint: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a signed token, for trying things out.",
            discussion: """
                Example: portcullis token mint --key keys/signing.pem --algorithm ES256 --issuer https://login.example.com \
                --audience api --subject ada --claim roles='["admin"]'
                """
        )

        @Option(name: .long, help: "A private key: PEM or JWK.")
        var key: String?
        @Option(name: .long, help: "A file with an HMAC secret.")
        var secretFile: String?
        @Option(name: .long, help: "The algorithm; needed for RSA keys and secrets.")
        var algorithm: Algorithm?
        @Option(name: .long, help: "iss")
        var issuer: String
        @Option(name: .long, help: "aud; may be given more than once.")
        var audience: [String] = []
        @Option(name: .long, help: "sub")
        var subject: String?
        @Option(name: .long, help: "scope, separated by blanks.")
        var scope: String?
        @Option(name: .long, help: "A further claim as name=value; the value may be JSON.")
        var claim: [String] = []
        @Option(name: .long, help: "How long it is valid: 30s, 5m, 1h.")
        var ttl = "5m"
        @Option(name: .long, help: "typ")
        var type = "JWT"

        func run() throws {
            let signer = Signer(try signingKey(), type: type)
            let data = try JSONSerialization.data(
                withJSONObject: try claims(),
                options: [.sortedKeys, .withoutEscapingSlashes]
            )
            guard let token = signer.sign(String(decoding: data, as: UTF8.self)) else {
                throw CommandFailure("OpenSSL could not sign")
            }
            print(token)
        }

        private func signingKey() throws -> SigningKey {
            switch (key, secretFile) {
            case (let path?, nil):
                let bytes = try Input.file(path)
                let isJWK = bytes.first { $0 > 0x20 } == UInt8(ascii: "{")
                return try readable(path) { () throws(KeyError) in
                    isJWK
                        ? try SigningKey(jwk: bytes, algorithm: algorithm)
                        : try SigningKey(pem: bytes, algorithm: algorithm)
                }
            case (nil, let path?):
                guard let algorithm else { throw ValidationError("a secret needs --algorithm, such as HS256") }
                let bytes = try Input.secret(path)
                return try readable(path) { () throws(KeyError) in try SigningKey(secret: bytes, algorithm: algorithm) }
            default: throw ValidationError("give either --key or --secret-file")
            }
        }

        private func claims() throws -> [String: Any] {
            guard let seconds = Self.seconds(ttl) else { throw ValidationError("--ttl is a number with s, m, h or d") }
            let now = Int(Date().timeIntervalSince1970)
            var claims: [String: Any] = ["iss": issuer, "iat": now, "exp": now + seconds]
            if let subject { claims["sub"] = subject }
            if let scope { claims["scope"] = scope }
            if audience.count == 1 {
                claims["aud"] = audience[0]
            } else if !audience.isEmpty {
                claims["aud"] = audience
            }
            for text in claim {
                guard let equals = text.firstIndex(of: "=") else { throw ValidationError("--claim is name=value") }
                let value = String(text[text.index(after: equals)...])
                let json = try? JSONSerialization.jsonObject(with: Data(value.utf8), options: [.fragmentsAllowed])
                claims[String(text[..<equals])] = json ?? value
            }
            return claims
        }

        /// Seconds of `30s`, `5m`, `-1h`.
        static func seconds(_ text: String) -> Int? {
            let factors: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86400]
            guard let unit = text.last, let factor = factors[unit], let count = Int(text.dropLast()) else { return nil }
            let (value, overflow) = count.multipliedReportingOverflow(by: factor)
            return overflow ? nil : value
        }
    }
}

extension TokenCommand {
    /// Shows what is in a token.
    struct Inspect: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what is in a token, without verifying it.",
            discussion: "Example: pbpaste | portcullis token inspect -"
        )

        @Argument(help: "The token, or - to read it from the standard input.")
        var token = "-"

        func run() throws {
            let parts = Input.token(token).split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 3 else {
                throw CommandFailure("not a compact JWS: \(parts.count) parts between dots instead of 3")
            }
            let header = try show("header", parts[0])
            let claims = try show("claims", parts[1])
            print("algorithm  \(header["alg"] as? String ?? "none given")")
            for name in ["iat", "nbf", "exp"] {
                guard let seconds = (claims[name] as? NSNumber)?.doubleValue else { continue }
                print("\(name)        \(Self.readable(seconds))")
            }
            print("signature  NOT VERIFIED (portcullis token verify does that)")
        }

        private func show(_ what: String, _ part: String) throws -> [String: Any] {
            guard let bytes = Base64URL.decode(Array(part.utf8)) else {
                throw CommandFailure("the \(what) is not base64url")
            }
            guard let object = try? JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any],
                let pretty = try? JSONSerialization.data(
                    withJSONObject: object,
                    options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
                )
            else { throw CommandFailure("the \(what) is not a JSON object") }
            print("\(what) \(String(decoding: pretty, as: UTF8.self))")
            return object
        }

        private static func readable(_ seconds: Double) -> String {
            let distance = Int(seconds - Date().timeIntervalSince1970)
            let text = Date(timeIntervalSince1970: seconds).formatted(.iso8601)
            return distance < 0 ? "\(text), \(-distance) s ago" : "\(text), in \(distance) s"
        }
    }

    /// Verifies a token.
    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Verify a token's signature, times, issuer and audience.",
            discussion: """
                Exit status: 0 when it is valid, 1 when it is not, with the reason.
                Example: portcullis token verify --keys keys/signing.jwks.json --issuer https://login.example.com -
                """
        )

        @Option(name: .long, help: "Keys: a JWK set, one JWK, or PEM.")
        var keys: String?
        @Option(name: .long, help: "A file with an HMAC secret.")
        var secretFile: String?
        @Option(name: .long, help: "The only algorithm that is accepted; needed for secrets and RSA keys in PEM.")
        var algorithm: Algorithm?
        @Option(name: .long, help: "What iss must be.")
        var issuer: String?
        @Option(name: .long, help: "What aud must hold.")
        var audience: String?
        @Argument(help: "The token, or - to read it from the standard input.")
        var token = "-"

        func run() throws {
            let set = try keySet()
            let decoder = TokenDecoder()
            let problem: String?
            do throws(TokenError) {
                try decoder.decode(Array(Input.token(token).utf8))
                let claims = try decoder.claims()
                _ = try Verifier(keys: set).verify(decoder, allowed: algorithm.map { AlgorithmSet($0) } ?? .all)
                problem = check(claims)
            } catch {
                problem = "\(error.code)"
            }
            if let problem { throw CommandFailure("invalid: \(problem)") }
            print("valid")
        }

        private func check(_ claims: Claims) -> String? {
            let now = Int64(Date().timeIntervalSince1970)
            if !claims.hasExpiry { return "there is no exp" }
            if now >= claims.expiry { return "it expired \(now - claims.expiry) s ago" }
            if claims.hasNotBefore, claims.notBefore > now { return "it becomes valid in \(claims.notBefore - now) s" }
            if let issuer, !claims.equals(claims.issuer, Array(issuer.utf8).span) { return "iss is not \(issuer)" }
            if let audience, !claims.contains(claims.audience, Array(audience.utf8).span) {
                return "aud has no \(audience)"
            }
            return nil
        }

        private func keySet() throws -> KeySet {
            switch (keys, secretFile) {
            case (let path?, nil):
                let bytes = try Input.file(path)
                return try readable(path) { () throws(KeyError) in
                    bytes.first { $0 > 0x20 } == UInt8(ascii: "{")
                        ? try KeySet.jwks(bytes, algorithm: algorithm)
                        : try KeySet([JOSE.Key.pem(bytes, algorithm: algorithm, id: nil)])
                }
            case (nil, let path?):
                guard let algorithm else { throw ValidationError("a secret needs --algorithm, such as HS256") }
                let bytes = try Input.secret(path)
                return try readable(path) { () throws(KeyError) in
                    try KeySet([JOSE.Key.secret(bytes, algorithm: algorithm)])
                }
            default: throw ValidationError("give either --keys or --secret-file")
            }
        }
    }
}

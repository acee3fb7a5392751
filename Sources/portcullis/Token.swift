// COLD. `portcullis token`: making tokens to try things out, and looking at those of others.
import ArgumentParser
import Foundation
import Gateway
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
                It ends after --ttl and names the key it was signed with. Claims given with --claim go before all others.

                Examples:
                  portcullis token mint --key signing.pem --issuer https://login.example.com --audience api \
                --subject ada --claim roles='["admin"]'
                  portcullis token mint --secret-file hs.secret --algorithm HS256 --issuer https://login.example.com
                  portcullis token mint --key signing.pem --issuer https://login.example.com --ttl=-1h    (expired)
                """
        )

        @Option(name: .long, help: ArgumentHelp("A private key: PEM or JWK.", valueName: "file"))
        var key: String?
        @Option(
            name: .long,
            help: ArgumentHelp("An HMAC secret; a line end behind it does not count.", valueName: "file")
        )
        var secretFile: String?
        @Option(
            name: .long,
            help: ArgumentHelp(
                "RS256…512, PS256…512 (RSA keys need it), HS256…512 (secrets do), ES256…512 or EdDSA.",
                valueName: "name"
            )
        )
        var algorithm: Algorithm?
        @Option(name: .long, help: ArgumentHelp("Who made it: the claim iss.", valueName: "text"))
        var issuer: String
        @Option(name: .long, help: ArgumentHelp("Whom it is for: the claim aud. May be repeated.", valueName: "text"))
        var audience: [String] = []
        @Option(name: .long, help: ArgumentHelp("Who it is about: the claim sub.", valueName: "text"))
        var subject: String?
        @Option(name: .long, help: ArgumentHelp("The claim scope: words separated by blanks.", valueName: "text"))
        var scope: String?
        @Option(
            name: .long,
            help: ArgumentHelp("A further claim; the value may be JSON. May be repeated.", valueName: "name=value")
        )
        var claim: [String] = []
        @Option(name: .long, help: ArgumentHelp("How long it is valid: 30s, 5m, 1h.", valueName: "duration"))
        var ttl = "5m"
        @Option(name: .long, help: ArgumentHelp("typ of its header, such as at+jwt.", valueName: "text"))
        var type = "JWT"

        func validate() throws {
            try KeySource.check(key, "--key", secretFile, algorithm)
            if Duration.parse(ttl) == nil { throw ValidationError("--ttl is a number with s, m, h or d, such as 5m") }
            if claim.contains(where: { !$0.dropFirst().contains("=") }) {
                throw ValidationError("--claim is name=value, such as --claim tenant=acme")
            }
        }

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
            if let key {
                let bytes = try Input.file(key)
                return try readable(key) { () throws(KeyError) in
                    KeySource.isJSON(bytes)
                        ? try SigningKey(jwk: bytes, algorithm: algorithm)
                        : try SigningKey(pem: bytes, algorithm: algorithm)
                }
            }
            guard let secretFile, let algorithm else { throw CommandFailure("there is no key") }
            let bytes = try Input.secret(secretFile)
            return try readable(secretFile) { () throws(KeyError) in
                try SigningKey(secret: bytes, algorithm: algorithm)
            }
        }

        private func claims() throws -> [String: Any] {
            let now = Int(Date().timeIntervalSince1970)
            let (end, overflow) = now.addingReportingOverflow(Duration.parse(ttl) ?? 0)
            guard !overflow else { throw ValidationError("--ttl is too long") }
            var claims: [String: Any] = ["iss": issuer, "iat": now, "exp": end]
            if let subject { claims["sub"] = subject }
            if let scope { claims["scope"] = scope }
            if audience.count == 1 {
                claims["aud"] = audience[0]
            } else if !audience.isEmpty {
                claims["aud"] = audience
            }
            for text in claim {
                let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                let json = try? JSONSerialization.jsonObject(with: Data(parts[1].utf8), options: [.fragmentsAllowed])
                claims[String(parts[0])] = json ?? String(parts[1])
            }
            return claims
        }
    }
}

/// The two ways to give a key.
private enum KeySource {
    /// Exactly one of them, and an algorithm with a secret.
    static func check(_ key: String?, _ name: String, _ secretFile: String?, _ algorithm: Algorithm?) throws {
        guard (key == nil) != (secretFile == nil) else {
            throw ValidationError("give either \(name) or --secret-file")
        }
        guard secretFile != nil else { return }
        guard let algorithm else { throw ValidationError("a secret needs --algorithm, such as --algorithm HS256") }
        guard algorithm.isSymmetric else {
            throw ValidationError("a secret is for HS256, HS384 or HS512, not for \(algorithm.name)")
        }
    }

    static func isJSON(_ bytes: [UInt8]) -> Bool { bytes.first { $0 > 0x20 } == UInt8(ascii: "{") }
}

/// Lengths of time on the command line.
private enum Duration {
    /// Seconds of `30s`, `5m`, `-1h`.
    static func parse(_ text: String) -> Int? {
        let factors: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86400]
        guard let unit = text.last, let factor = factors[unit], let count = Int(text.dropLast()) else { return nil }
        let (value, overflow) = count.multipliedReportingOverflow(by: factor)
        return overflow ? nil : value
    }
}

extension TokenCommand {
    /// Shows what is in a token.
    struct Inspect: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what is in a token, without verifying it.",
            discussion: """
                Says as well whether the gateway could read it at all. Exit status: 0 when header and claims could be \
                shown, 1 otherwise.

                Example: wl-paste | portcullis token inspect -
                """
        )

        @Argument(help: "The token, or - to read it from the standard input.")
        var token = "-"

        func run() throws {
            let token = try Input.token(token)
            let parts = token.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 3 else {
                throw CommandFailure("not a compact JWS: \(parts.count) parts between dots instead of 3")
            }
            let header = try show("header", parts[0])
            let claims = try show("claims", parts[1])
            print("algorithm  \(Self.visible(header["alg"] as? String ?? "none given"))")
            for name in ["iat", "nbf", "exp"] {
                guard let seconds = (claims[name] as? NSNumber)?.doubleValue, abs(seconds) < 1e12 else { continue }
                print("\(name)        \(Self.readable(seconds))")
            }
            print("form       \(Self.form(of: token))")
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
            print("\(what) \(Self.visible(String(decoding: pretty, as: UTF8.self)))")
            return object
        }

        /// What the gateway's own decoder says.
        private static func form(of token: String) -> String {
            let decoder = TokenDecoder()
            do throws(TokenError) {
                try decoder.decode(Array(token.utf8))
                _ = try decoder.claims()
                return "as it should be"
            } catch {
                return "REFUSED: \(error.message) (\(error.code))"
            }
        }

        /// Without characters that a terminal would obey, or that change how the rest is read.
        private static func visible(_ text: String) -> String {
            var out = ""
            for scalar in text.unicodeScalars {
                switch scalar.properties.generalCategory {
                case .control where scalar != "\n", .format, .lineSeparator, .paragraphSeparator:
                    out += "\\u{\(String(scalar.value, radix: 16))}"
                default: out.unicodeScalars.append(scalar)
                }
            }
            return out
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
                Exit status: 0 when it is valid, 1 when it is not, with the reason. The gateway tolerates a clock \
                difference of one minute unless told otherwise; here it is --leeway.

                Example: portcullis token verify --keys signing.jwks.json --issuer https://login.example.com -
                """
        )

        @Option(name: .long, help: ArgumentHelp("Keys: a JWK set, one JWK, or PEM.", valueName: "file"))
        var keys: String?
        @Option(
            name: .long,
            help: ArgumentHelp("An HMAC secret; a line end behind it does not count.", valueName: "file")
        )
        var secretFile: String?
        @Option(
            name: .long,
            help: ArgumentHelp("The only algorithm that is accepted; needed for secrets.", valueName: "name")
        )
        var algorithm: Algorithm?
        @Option(name: .long, help: ArgumentHelp("What iss must be; unset: anything.", valueName: "text"))
        var issuer: String?
        @Option(name: .long, help: ArgumentHelp("What aud must hold; unset: anything.", valueName: "text"))
        var audience: String?
        @Option(name: .long, help: ArgumentHelp("What typ must be; unset: anything.", valueName: "text"))
        var type: String?
        @Option(name: .long, help: ArgumentHelp("Clock difference that is tolerated.", valueName: "duration"))
        var leeway = "0s"
        @Argument(help: "The token, or - to read it from the standard input.")
        var token = "-"

        func validate() throws {
            try KeySource.check(keys, "--keys", secretFile, algorithm)
            guard let seconds = Duration.parse(leeway), (0...86400).contains(seconds) else {
                throw ValidationError("--leeway is a number with s, m or h, such as 60s")
            }
        }

        func run() throws {
            let set = try keySet()
            let text = Array(try Input.token(token).utf8)
            let decoder = TokenDecoder()
            var key: JOSE.Key?
            let problem: String?
            do throws(TokenError) {
                try decoder.decode(text)
                let claims = try decoder.claims()
                let place = try Verifier(keys: set).verify(
                    decoder,
                    allowed: algorithm.map { AlgorithmSet($0) } ?? .all
                )
                key = set.keys[place]
                problem = check(claims, String(decoding: decoder.type, as: UTF8.self))
            } catch {
                problem = "\(error.message) (\(error.code))"
            }
            if let problem { throw CommandFailure("invalid: \(problem)") }
            print("valid")
            print("algorithm  \(decoder.algorithm.name)")
            print("key        \(key?.idText ?? "without kid")")
        }

        private func check(_ claims: Claims, _ given: String) -> String? {
            let now = Int64(Date().timeIntervalSince1970)
            let leeway = Int64(Duration.parse(self.leeway) ?? 0)
            if !claims.hasExpiry { return "there is no exp" }
            if now >= claims.expiry + leeway { return "it expired \(now - claims.expiry) s ago" }
            if claims.hasNotBefore, claims.notBefore > now + leeway {
                return "it becomes valid in \(claims.notBefore - now) s"
            }
            if claims.hasIssuedAt, claims.issuedAt > now + leeway {
                return "it was issued \(claims.issuedAt - now) s in the future"
            }
            if let type, !Self.isSame(type, given) { return "typ is not \(type)" }
            if let issuer, !claims.equals(claims.issuer, Array(issuer.utf8).span) { return "iss is not \(issuer)" }
            if let audience, !claims.contains(claims.audience, Array(audience.utf8).span) {
                return "aud has no \(audience)"
            }
            return nil
        }

        /// RFC 7515 §4.1.9: media types, without regard to case, `application/` left out.
        private static func isSame(_ a: String, _ b: String) -> Bool {
            func short(_ type: String) -> Substring {
                let lower = type.lowercased()
                return lower.hasPrefix("application/") ? lower.dropFirst(12) : lower[...]
            }
            return short(a) == short(b)
        }

        private func keySet() throws -> KeySet {
            if let keys {
                let bytes = try Input.file(keys)
                let set = try readable(keys) { () throws(KeyError) in
                    KeySource.isJSON(bytes)
                        ? try KeySet.jwks(bytes, algorithm: algorithm)
                        : try KeySet([JOSE.Key.pem(bytes, algorithm: algorithm, id: nil)])
                }
                for odd in set.skipped {
                    FileHandleOutput.error("\(keys): key \(odd.index + 1) is left out: \(odd.error.message)")
                }
                return set
            }
            guard let secretFile, let algorithm else { throw CommandFailure("there is no key") }
            let bytes = try Input.secret(secretFile)
            return try readable(secretFile) { () throws(KeyError) in
                try KeySet([JOSE.Key.secret(bytes, algorithm: algorithm)])
            }
        }
    }
}

// COLD. Nothing that the gateway writes may be what something else of it reads or writes.
import Settings

/// Checks that no file is two things.
///
/// Files are told apart by their paths, however these are spelled; links are not followed.
struct FileChecks {
    private let settings: GatewaySettings
    private let decoding: Decoding
    /// Whose a path is: the key that names it.
    private var owners: [String: String] = [:]

    /// For the settings of the file at `path`.
    init(_ settings: GatewaySettings, path: String, _ decoding: Decoding) {
        self.settings = settings
        self.decoding = decoding
        if !path.isEmpty { owners[Self.normal(decoding.resolve(fileName(of: path)))] = "the configuration" }
        takeReadFiles()
    }

    private func fileName(of path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

    private mutating func takeReadFiles() {
        take(settings.accounts?.file, "accounts.file")
        for (index, issuer) in settings.issuers.enumerated() {
            for source in issuer.keys.map(\.source) {
                switch source {
                case .jwksFile(let file), .pemFile(let file): take(file, "issuers[\(index)].keys")
                case .jwks, .secret: break
                }
            }
        }
        for (index, tls) in settings.listeners.enumerated().compactMap({ index, one in one.tls.map { (index, $0) } }) {
            let name = "listeners[\(index)].tls"
            for one in tls.certificates {
                for file in [one.certificate, one.key, one.ocsp] { take(file, "\(name).certificates") }
            }
            take(tls.clientCA, "\(name).client_ca_file")
        }
        for (index, tls) in settings.upstreams.enumerated().compactMap({ index, one in one.tls.map { (index, $0) } }) {
            for file in [tls.ca, tls.certificate, tls.key] { take(file, "upstreams[\(index)].tls") }
        }
        if let tls = settings.sessions.redis?.tls {
            for file in [tls.ca, tls.certificate, tls.key] { take(file, "sessions.redis.tls") }
        }
    }

    private mutating func take(_ file: FileReference?, _ name: String) {
        guard let file, !file.path.isEmpty else { return }
        let path = Self.normal(file.path)
        if owners[path] == nil { owners[path] = name }
    }

    /// Reports what is written where something else is.
    mutating func run() {
        if settings.sessions.store == .sqlite {
            let place = settings.sessions.marks["file"]
            // SQLite's own files beside it.
            for end in ["", "-wal", "-shm", "-journal"] {
                claim(settings.sessions.file + end, "sessions.file", at: place)
            }
        }
        if let log = settings.auditLog { claim(log.path, "audit_log.path", at: log.marks["path"]) }
        if settings.accessLog.isEnabled {
            claim(settings.accessLog.path, "access_log.path", at: settings.accessLog.marks["path"])
        }
        if let path = settings.revocationFile {
            claim(path, "revocation_file", at: settings.marks["revocation_file"])
        }
    }

    private mutating func claim(_ path: String, _ name: String, at place: SourceLocation) {
        // Devices take what everybody writes.
        guard !path.isEmpty, path != "-", path != "stdout", !path.hasPrefix("/dev/"), !path.hasPrefix("/proc/") else {
            return
        }
        let path = Self.normal(path)
        if let owner = owners[path] {
            if !decoding.hasError(at: place) {
                let what =
                    owner == "the configuration" ? "is the configuration itself" : "is the file of \(owner) already"
                decoding.report("\(name): \(what); name another one", at: place)
            }
        } else {
            owners[path] = name
        }
    }

    /// A path without `.`, `..` and double slashes.
    static func normal(_ path: String) -> String {
        var parts: [Substring] = []
        let isRooted = path.hasPrefix("/")
        for part in path.split(separator: "/") where part != "." {
            if part == "..", let last = parts.last, last != ".." {
                parts.removeLast()
            } else if part != ".." || !isRooted {
                parts.append(part)
            }
        }
        return (isRooted ? "/" : "") + parts.joined(separator: "/")
    }
}

// COLD. Notices that files of certificates, keys and accounts were replaced.
import Glibc
import Settings

/// Which files there are, and how they looked when they were read.
struct FileWatch: Sendable {
    /// What tells a replaced or rewritten file from the one that was read.
    private struct Look: Equatable {
        var device: UInt64 = 0
        var inode: UInt64 = 0
        var size: Int64 = 0
        var seconds: Int = 0
        var nanoseconds: Int = 0
        /// The last change of anything about it: who may read it as well.
        var changeSeconds: Int = 0
        var changeNanoseconds: Int = 0
    }

    private let paths: [String]
    private var looks: [Look]

    /// The files of certificates, keys and accounts of a configuration, as they are now.
    init(_ settings: GatewaySettings) {
        var paths: [String] = []
        // Accounts that change end or refresh their sessions at once.
        if let accounts = settings.accounts { paths.append(accounts.file.path) }
        interval = Self.interval(settings)
        guard settings.tls.fileCheck > .zero else {
            self.paths = paths
            looks = paths.map(Self.look)
            return
        }
        for tls in settings.listeners.compactMap(\.tls) {
            for certificate in tls.certificates {
                paths += [certificate.certificate.path, certificate.key.path]
                if let ocsp = certificate.ocsp { paths.append(ocsp.path) }
            }
            if let file = tls.clientCA { paths.append(file.path) }
        }
        for tls in settings.upstreams.compactMap(\.tls) {
            paths += [tls.ca, tls.certificate, tls.key].compactMap { $0?.path }
        }
        self.paths = paths
        looks = paths.map(Self.look)
    }

    /// Milliseconds between two looks.
    let interval: Int64

    private static func interval(_ settings: GatewaySettings) -> Int64 {
        let asked = Int64(settings.tls.fileCheck.milliseconds)
        guard settings.accounts != nil else { return asked }
        return asked > 0 ? min(asked, 1000) : 1000
    }

    /// Whether there is anything to watch.
    var isEmpty: Bool { paths.isEmpty }

    /// Looks again; whether anything has changed since the last time.
    mutating func hasChanged() -> Bool {
        let now = paths.map(Self.look)
        defer { looks = now }
        return now != looks
    }

    private static func look(_ path: String) -> Look {
        var status = stat()
        guard stat(path, &status) == 0 else { return Look() }
        return Look(
            device: UInt64(status.st_dev),
            inode: UInt64(status.st_ino),
            size: Int64(status.st_size),
            seconds: status.st_mtim.tv_sec,
            nanoseconds: status.st_mtim.tv_nsec,
            changeSeconds: status.st_ctim.tv_sec,
            changeNanoseconds: status.st_ctim.tv_nsec
        )
    }
}

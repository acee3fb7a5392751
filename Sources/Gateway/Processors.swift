// COLD. What the process may use: cores by affinity and cgroup quota, descriptors by its limit.
import CLinux
import Glibc

/// What the system grants the process.
enum Processors {
    /// Cores available to the process, 1…256.
    static var available: Int {
        var mask = [UInt64](repeating: 0, count: 128)
        let size = mask.withUnsafeMutableBytes { bytes in
            bytes.baseAddress.map { sched_getaffinity(0, bytes.count, $0) } ?? -1
        }
        var count = size >= 0 ? mask.reduce(0) { $0 + $1.nonzeroBitCount } : sysconf(Int32(_SC_NPROCESSORS_ONLN))
        if let quota { count = min(count, max(1, quota)) }
        return max(1, min(256, count))
    }

    /// The quota of the cgroup in whole cores, rounded up, or nil without one (cgroup v2 `cpu.max`, v1 `cpu.cfs_*`).
    private static var quota: Int? {
        if let text = contents("/sys/fs/cgroup/cpu.max") {
            let parts = text.split(separator: " ")
            if parts.count == 2, let limit = Int(parts[0]), let period = Int(parts[1]), period > 0 {
                return (limit + period - 1) / period
            }
            return nil
        }
        if let limit = contents("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").flatMap({ Int($0) }), limit > 0,
            let period = contents("/sys/fs/cgroup/cpu/cpu.cfs_period_us").flatMap({ Int($0) }), period > 0
        {
            return (limit + period - 1) / period
        }
        return nil
    }

    private static func contents(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let n = read(descriptor, &bytes, bytes.count)
        guard n > 0 else { return nil }
        return String(decoding: bytes[..<n].filter { $0 != 0x0a }, as: UTF8.self)
    }

    /// Takes all the descriptors that the process may have.
    static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// How many client connections leave descriptors for backends, files and the ops listener: without that reserve
    /// the clients that are in could not be served either.
    static var connectionLimit: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 512 }
        let descriptors = Int(clamping: limit.rlim_cur)
        return max(16, descriptors - min(1024, descriptors / 4) - 64)
    }
}

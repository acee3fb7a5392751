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
        if let quota = quota(root: "") { count = min(count, max(1, quota)) }
        return max(1, min(256, count))
    }

    /// The least quota of the process's cgroup and of those around it in whole cores, rounded up; nil without one.
    ///
    /// A service's quota stands at its own cgroup (`system.slice/x.service`) and not at the root. In a container the
    /// path can be one of the host's, which is not there: then what is mounted at the root is the container's own.
    ///
    /// - Parameter root: the folder that `proc` and `sys` are in.
    /// - Returns: whole cores.
    static func quota(root: String) -> Int? {
        guard let groups = contents(root + "/proc/self/cgroup") else { return nil }
        var least: Int?
        for line in groups.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let isUnified = parts[0] == "0" && parts[1].isEmpty
            guard isUnified || parts[1].split(separator: ",").contains("cpu") else { continue }
            let mount = root + (isUnified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu")
            // Above a namespace's root (`/..`) nothing can be seen.
            var names = parts[2].split(separator: "/")
            if names.contains("..") { names = [] }
            while true {
                let folder = ([mount] + names.map(String.init)).joined(separator: "/")
                if let cores = isUnified ? unifiedQuota(folder) : formerQuota(folder) {
                    least = min(least ?? cores, cores)
                }
                if names.popLast() == nil { break }
            }
        }
        return least
    }

    /// What `cpu.max` of cgroup v2 says: `100000 100000`, or `max 100000`.
    private static func unifiedQuota(_ folder: String) -> Int? {
        let parts = contents(folder + "/cpu.max")?.split { $0 == " " || $0 == "\n" } ?? []
        guard parts.count == 2, let limit = Int(parts[0]), let period = Int(parts[1]) else { return nil }
        return cores(limit, period)
    }

    /// The same of cgroup v1, where -1 stands for no limit.
    private static func formerQuota(_ folder: String) -> Int? {
        let numbers = ["quota", "period"].map { part in
            contents("\(folder)/cpu.cfs_\(part)_us")?.split(separator: "\n").first.flatMap { Int($0) } ?? 0
        }
        return cores(numbers[0], numbers[1])
    }

    private static func cores(_ limit: Int, _ period: Int) -> Int? {
        guard limit > 0, period > 0 else { return nil }
        return limit / period + (limit % period > 0 ? 1 : 0)
    }

    private static func contents(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 16_384)
        let n = read(descriptor, &bytes, bytes.count)
        guard n > 0 else { return nil }
        return String(decoding: bytes[..<n], as: UTF8.self)
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

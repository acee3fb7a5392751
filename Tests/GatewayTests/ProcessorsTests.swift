// What a cgroup grants: its own quota and those of the groups around it.
import Foundation
import Testing

@testable import Gateway

@Suite("Processors")
struct ProcessorsTests {
    @Test(
        "quotas",
        arguments: [
            ([:], nil),
            (["proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"], 2),
            (["proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"], nil),
            (["proc/self/cgroup": "0::/a.slice/b.service\n", "sys/fs/cgroup/a.slice/b.service/cpu.max": "1 10\n"], 1),
            (
                [
                    "proc/self/cgroup": "0::/a/b/c\n", "sys/fs/cgroup/a/b/c/cpu.max": "max 100000\n",
                    "sys/fs/cgroup/a/cpu.max": "300000 100000\n", "sys/fs/cgroup/a/b/cpu.max": "400000 100000\n",
                ], 3
            ),
            // A container that sees the host's path, and its own group at the root.
            (["proc/self/cgroup": "0::/docker/0123\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"], 2),
            (["proc/self/cgroup": "0::/../../x\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"], 2),
            (
                [
                    "proc/self/cgroup": "5:memory:/m\n4:cpu,cpuacct:/g:h\n1:name=systemd:/s\n0::/\n",
                    "sys/fs/cgroup/cpu/g:h/cpu.cfs_quota_us": "250000\n",
                    "sys/fs/cgroup/cpu/g:h/cpu.cfs_period_us": "100000\n",
                    "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
                ], 3
            ),
            (["proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "nonsense\n"], nil),
        ] as [([String: String], Int?)]
    )
    func quota(files: [String: String], expected: Int?) throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "portcullis-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        for (path, text) in files {
            let file = root.appending(path: path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try Data(text.utf8).write(to: file)
        }
        #expect(Processors.quota(root: root.path) == expected)
    }
}

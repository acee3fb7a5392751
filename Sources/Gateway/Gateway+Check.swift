// COLD. What `check` does: everything that a start would do before the first socket.
import Settings

extension Gateway {
    /// What `check` found.
    public struct CheckResult {
        /// Whether `run` would start.
        public var isValid: Bool
        /// Problems and warnings, sorted by place.
        public var problems: [String]
        /// The effective routes as a table.
        public var table: String
    }

    /// Validates everything that `run` would need: configuration, keys, routes, names, and that sockets can be bound.
    public static func check(path: String) -> CheckResult {
        let loaded = SnapshotBuilder.load(path: path, generation: 0, continuity: Continuity())
        var problems = loaded.messages
        var isValid = loaded.build != nil
        if let file = loaded.settings?.revocationFile, case .failure(let problem) = RevocationFile.read(file) {
            isValid = false
            problems.append(problem.text)
        }
        return CheckResult(
            isValid: isValid,
            problems: problems,
            table: loaded.settings.map { RouteListing(settings: $0).text } ?? ""
        )
    }
}

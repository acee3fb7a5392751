// COLD. Reloads: which one runs, which one waits, and what became of the last.

/// Where reloads stand.
///
///     SIGHUP ─────────────► the configuration file and all it names
///     a replaced file ────► the settings in force, and all files they name; tried again until it succeeds
struct Reloads {
    /// Why there is a reload.
    enum Cause: Sendable {
        /// An operator wants the configuration file to be applied.
        case signal
        /// A file of certificates, keys or accounts was replaced: edits of the configuration wait for their signal.
        case files
        /// Files were refused the last time.
        case retry
    }

    /// Most milliseconds until refused files are tried again, unless they are looked at less often.
    private static let longestPause: Int64 = 60_000

    private var running: Cause?
    private var waiting: Cause?
    /// Why the configuration file was refused the last time; nil when it was applied.
    private var refusedFile: String?
    /// Why files that had changed were refused; nil when none were.
    private var refusedFiles: String?
    private var lastMessages: [String] = []
    private var due: Int64 = .max
    private var pause: Int64 = 0

    /// Whether one runs.
    var isRunning: Bool { running != nil }

    /// Whether refused files have to be tried again.
    func isDue(now: Int64) -> Bool { now >= due }

    /// Begins one; false when another runs, after which this one follows.
    mutating func begin(_ cause: Cause) -> Bool {
        guard running != nil else {
            running = cause
            return true
        }
        // What a signal asks for holds what files ask for.
        if waiting != .signal { waiting = cause }
        return false
    }

    /// Whether it only found what it found before, so that there is nothing to apply.
    func isFruitless(_ messages: [String]) -> Bool { running == .retry && messages == lastMessages }

    /// Whether its messages are worth the log: the same refusal of the same files is told once.
    func isNews(_ messages: [String], isRefusal: Bool) -> Bool {
        !isRefusal || running != .retry || messages != lastMessages
    }

    /// Notes what came of the one that runs; the one that follows, if one waits.
    ///
    /// `interval` is how often files are looked at, in milliseconds.
    mutating func end(_ isApplied: Bool, _ messages: [String], now: Int64, interval: Int64) -> Cause? {
        let cause = running ?? .signal
        running = nil
        defer { waiting = nil }
        if isApplied {
            if cause == .signal { refusedFile = nil }
            refusedFiles = nil
            lastMessages = []
            due = .max
            pause = 0
        } else if cause == .signal {
            refusedFile = Self.reason(messages)
        } else {
            refusedFiles = Self.reason(messages)
            lastMessages = messages
            pause = max(interval, min(pause * 2, Self.longestPause))
            due = now + pause
        }
        return waiting
    }

    /// What to tell of refused reloads.
    var details: [String] {
        (refusedFile.map { ["the last SIGHUP was refused: " + $0] } ?? [])
            + (refusedFiles.map { ["changed files were refused, the former content is in use: " + $0] } ?? [])
    }

    /// The first thing that is wrong, without what is quoted: those are words of the file, which may be secret.
    static func reason(_ messages: [String]) -> String {
        guard let first = messages.first(where: { !$0.contains(": warning: ") }) else { return "see the log" }
        var text = ""
        var isQuoted = false
        for character in first.prefix(400) {
            if character == "\"" {
                text += isQuoted ? "…\"" : "\""
                isQuoted.toggle()
            } else if !isQuoted {
                text.append(character.isNewline ? " " : character)
            }
        }
        return isQuoted ? text + "…\"" : text
    }
}

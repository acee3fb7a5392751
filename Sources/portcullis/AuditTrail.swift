// COLD. What commands write to the gateway's audit log, whether or not it runs.
import Sessions
import Telemetry

/// Lines of the audit log that a command adds.
enum AuditTrail {
    /// Notes sessions that a command ended.
    ///
    /// - Throws: ``CommandFailure`` when not all lines are in the file; the sessions have ended all the same.
    static func revoked(_ records: [SessionRecord], _ path: String) throws {
        // Standard output is the command's answer here; the gateway's own is not reached.
        guard path != "/dev/stdout", path != "stdout", path != "-" else { return }
        let time = UnixTime.now() * 1000
        let entries = records.map { record in
            var entry = AuditEntry("revoke", time: time)
            (entry.account, entry.session, entry.family) = (record.account, record.key.text, record.family)
            (entry.method, entry.address, entry.site) = (record.method, record.address, record.site)
            entry.reason = "revoked"
            return entry
        }
        do {
            let log = try AuditLog(path: path)
            defer { log.close() }
            try Blocking.run { for entry in entries { try await log.append(entry) } }
        } catch {
            throw CommandFailure("the sessions ended, but the audit log was not written: \(error)")
        }
    }
}

// COLD. What the portal tells the audit log, and the metrics of that log.
import Portal
import Settings
import Synchronization
import Telemetry

/// Writes events of the portal to the audit log.
final class AuditDesk: AuditSink {
    let log: AuditLog
    private let failures = Atomic<Int>(0)

    /// Opens the log.
    ///
    /// - Throws: ``AuditFileError`` when the file cannot be used.
    init(_ settings: AuditLogSettings) throws(AuditFileError) {
        log = try AuditLog(path: settings.path, queue: settings.queue)
    }

    func record(_ event: AuditEvent) async throws {
        var entry = AuditEntry(event.kind.rawValue, time: event.time * 1000)
        entry.account = event.account
        entry.session = event.session
        entry.family = event.family
        entry.method = event.method
        entry.address = event.address
        entry.site = event.site
        entry.reason = event.reason
        entry.request = event.requestID
        entry.leftOut = event.leftOut
        do throws(AuditLogError) {
            try await log.append(entry)
        } catch {
            failures.add(1, ordering: .relaxed)
            throw error
        }
    }

    /// For the exposition.
    var samples: [ExtraMetric] {
        [
            ExtraMetric(
                "audit_lines_total",
                "Lines written to the audit log.",
                kind: .counter,
                value: Double(log.writtenLines)
            ),
            ExtraMetric(
                "audit_lines_lost_total",
                "Events that are not in the audit log.",
                kind: .counter,
                value: Double(log.lostLines)
            ),
            ExtraMetric("audit_queue", "Events that wait for the audit log.", value: Double(log.depth)),
        ]
    }
}

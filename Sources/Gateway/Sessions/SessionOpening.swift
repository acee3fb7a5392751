// COLD. Opens the store of sessions and the audit log when the process starts.
import Portal
import Sessions
import Settings
import Telemetry

/// What login sessions need for the life of the process.
enum SessionOpening {
    /// Opens store and log; nil when there are no accounts.
    ///
    /// - Throws: ``StoreOpening`` or ``AuditFileError``, with a sentence about the file or server.
    static func open(_ snapshot: Snapshot, _ revocations: Revocations) throws -> SessionDesk? {
        guard let material = snapshot.portal else { return nil }
        let settings = snapshot.settings.sessions
        let audit = try snapshot.settings.auditLog.map { try AuditDesk($0) }
        let store = try makeStore(settings)
        return SessionDesk(
            store: store,
            accounts: material.accounts,
            settings: settings,
            audit: audit,
            revocations: revocations
        )
    }
}

// COLD. Opens the store of sessions when the process starts.
import Portal
import Sessions
import Settings

/// What login sessions need for the life of the process.
enum SessionOpening {
    /// Opens the store; nil when there are no accounts.
    ///
    /// - Throws: ``StoreOpening`` with a sentence about the file or server.
    static func open(_ snapshot: Snapshot) throws(StoreOpening) -> SessionDesk? {
        guard let material = snapshot.portal else { return nil }
        let settings = snapshot.settings.sessions
        return SessionDesk(
            store: try makeStore(settings),
            accounts: material.accounts,
            settings: settings,
            audit: NoAudit()
        )
    }
}

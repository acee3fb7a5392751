// COLD. What a new configuration means to a client's HTTP/1 connection.
import Identity

extension HTTP1Connection {
    /// Ends the connection, after the request that runs, when there would be none without a certificate whose authority
    /// is not accepted any more.
    func leaveFormerAuthorities(_ snapshot: Snapshot) {
        guard let certificate, certificate.isRequired,
            certificate.refusal(snapshot, worker.revocations, now: worker.unixSeconds) == .certificateUntrusted
        else { return }
        if phase == .reading { close() } else { exchange?.lastOnConnection() }
    }
}

// COLD. The control thread: signals, the ops listener, health checks, name look-ups, the watchdog, reload and drain.
import CLinux
import Glibc
import Reactor
import Telemetry
import Upstreams

/// What other threads tell the control thread.
enum ControlMessage: Sendable {
    /// A reload ended: the new snapshot, or what is wrong with the file.
    case reloaded(Snapshot?, [String], isWhole: Bool)
    /// Files of certificates and keys were looked at again.
    case looked(FileWatch, changed: Bool)
    /// Every worker has forgotten and ended what a revocation is about.
    case obeyed(UInt64)
    /// The file of revocations was written, or why not.
    case saved(String?)
    /// What an operator asked about sessions is there.
    case sessions(UInt64, SessionRecords.Answer)
    /// Names were looked up; one list per server of the upstream.
    case resolved(generation: UInt64, upstream: Int, [[SocketAddress]])
}

/// The loop of the main thread.
final class Control {
    private let poller: Poller
    private var handlers: [Int32: (Readiness) -> Void] = [:]
    private var generations: [Int32: UInt32] = [:]
    let mailbox: Mailbox<ControlMessage>
    private var signals: Int32 = -1
    private(set) var now = Clock.milliseconds()

    init() throws(SystemError) {
        poller = try Poller()
        mailbox = try Mailbox()
    }

    /// Calls `handler` when something is ready on a socket (edge-triggered).
    func watch(_ descriptor: Int32, _ handler: @escaping (Readiness) -> Void) {
        let generation = (generations[descriptor] ?? 0) &+ 1
        generations[descriptor] = generation
        if poller.add(descriptor, generation: generation) { handlers[descriptor] = handler }
    }

    /// The same, level-triggered, for listeners and the like.
    func watchLevel(_ descriptor: Int32, _ handler: @escaping (Readiness) -> Void) {
        let generation = (generations[descriptor] ?? 0) &+ 1
        generations[descriptor] = generation
        if poller.addLevel(descriptor, generation: generation) { handlers[descriptor] = handler }
    }

    /// Stops watching a descriptor that stays open.
    func unwatch(_ descriptor: Int32) {
        handlers[descriptor] = nil
        generations[descriptor] = (generations[descriptor] ?? 0) &+ 1
        poller.remove(descriptor)
    }

    /// Stops watching a descriptor and closes it.
    func close(_ descriptor: Int32) {
        handlers[descriptor] = nil
        generations[descriptor] = (generations[descriptor] ?? 0) &+ 1
        Socket.close(descriptor)
    }

    /// Blocks the process's signals in this thread and all later ones, to be read as events.
    static func blockSignals() {
        signal(SIGPIPE, SIG_IGN)
        var set = signalSet()
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    private static func signalSet() -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in [SIGTERM, SIGINT, SIGHUP, SIGUSR1] { sigaddset(&set, number) }
        return set
    }

    /// Calls `handler` with each signal.
    ///
    /// - Throws: ``SystemError`` when the kernel gives no signalfd.
    func watchSignals(_ handler: @escaping (Int32) -> Void) throws(SystemError) {
        var set = Self.signalSet()
        signals = signalfd(-1, &set, Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK))
        if signals < 0 { throw SystemError("signalfd") }
        let descriptor = signals
        watchLevel(descriptor) { _ in
            var info = signalfd_siginfo()
            while read(descriptor, &info, MemoryLayout<signalfd_siginfo>.size) == MemoryLayout<signalfd_siginfo>.size {
                handler(Int32(info.ssi_signo))
            }
        }
    }

    /// One turn: waits until something happens or `until` (monotonic milliseconds), and handles it.
    func turn(until: Int64) {
        let wait = max(0, min(1000, until - Clock.milliseconds()))
        let count = poller.wait(milliseconds: Int32(wait))
        now = Clock.milliseconds()
        for i in 0..<count {
            let event = poller.event(i)
            guard generations[event.descriptor] == event.generation else { continue }
            handlers[event.descriptor]?(event.readiness)
        }
    }
}

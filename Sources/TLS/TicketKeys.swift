// COLD, under a short lock once per handshake. The keys of session tickets (RFC 5077 §4), shared by all workers.
internal import Bytes
internal import COpenSSL
internal import Reactor

/// A ring of ticket keys: the newest encrypts, former ones decrypt until the tickets they made are too old.
///
/// One for the whole process, kept over reloads, so that tickets of any worker and any generation are understood.
/// `Sendable`: the keys are reached under a lock only, and leave it as copies that are wiped after use.
public final class TicketKeys: Sendable {
    /// A key with its name, 80 bytes.
    private struct Entry {
        var name: (UInt64, UInt64) = (0, 0)
        var encryption: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var authentication: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    }

    private struct Ring {
        var entries: [Entry] = []
        /// When each stops decrypting; the first has no end yet.
        var ends: [Int64] = []
        var nextRotation: Int64 = 0
    }

    /// Longest time between two rotations: 24 h, in milliseconds.
    public static let maximumRotation: Int64 = 86_400_000
    private static let maximumEntries = 32
    private let rotation: Int64
    private let lifetime: Int64
    private let ring: Locked<Ring>

    /// A ring with one random key; times in milliseconds of the monotonic clock.
    ///
    /// `rotation` is the time between two new keys, 1 s…24 h; `lifetime` is how long a ticket may be used, and so how
    /// long a former key still decrypts.
    ///
    /// - Throws: ``TLSError`` when there is no randomness.
    public init(rotation: Int64, lifetime: Int64, now: Int64) throws(TLSError) {
        let rotation = min(max(rotation, 1000), Self.maximumRotation)
        self.rotation = rotation
        self.lifetime = max(lifetime, 1000)
        guard let first = Self.random() else { throw TLSError(.library, "there is no randomness for ticket keys") }
        // Room for all from the start: growing would leave keys behind in freed memory.
        var entries: [Entry] = []
        entries.reserveCapacity(Self.maximumEntries + 1)
        entries.append(first)
        ring = Locked(Ring(entries: entries, ends: [.max], nextRotation: now + rotation))
    }

    deinit {
        ring.withLock { ring in
            for index in ring.entries.indices { OPENSSL_cleanse(&ring.entries[index], MemoryLayout<Entry>.size) }
        }
    }

    /// Seconds that a ticket may be used.
    public var ticketSeconds: Int { Int(lifetime / 1000) }

    /// Makes a new key if it is time, and drops keys whose tickets are too old; any thread may call it, any number of
    /// times.
    ///
    /// Returns whether there is a new key.
    @discardableResult
    public func rotate(now: Int64) -> Bool {
        ring.withLock { ring in
            guard now >= ring.nextRotation else { return false }
            return Self.renew(&ring, now, rotation, lifetime)
        }
    }

    /// Makes a new key whatever the time is: after a suspicion, or in tests.
    @discardableResult
    public func rotateAtOnce(now: Int64) -> Bool {
        ring.withLock { Self.renew(&$0, now, rotation, lifetime) }
    }

    /// Number of keys that decrypt.
    public var count: Int { ring.withLock { $0.entries.count } }

    private static func renew(_ ring: inout Ring, _ now: Int64, _ rotation: Int64, _ lifetime: Int64) -> Bool {
        // Without randomness the old key stays: worse than a new one, better than a known one.
        guard let key = random() else { return false }
        ring.ends[0] = now + lifetime
        ring.entries.insert(key, at: 0)
        ring.ends.insert(.max, at: 0)
        while ring.entries.count > 1, let end = ring.ends.last, end <= now || ring.entries.count > maximumEntries {
            OPENSSL_cleanse(&ring.entries[ring.entries.count - 1], MemoryLayout<Entry>.size)
            ring.entries.removeLast()
            ring.ends.removeLast()
        }
        ring.nextRotation = now + rotation
        return true
    }

    private static func random() -> Entry? {
        var entry = Entry()
        let done = withUnsafeMutableBytes(of: &entry) { bytes in
            RAND_priv_bytes(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), Int32(bytes.count))
        }
        if done == 1 { return entry }
        ErrorQueue.clear()
        return nil
    }

    // MARK: For OpenSSL

    nonisolated(unsafe) private static let cipher = EVP_CIPHER_fetch(nil, "AES-256-CBC", nil)

    /// Sets the contexts up to make a ticket (`isNew`) or to read one: 1 go on, 2 go on and make a new one as well,
    /// 0 the key is not known, negative an error.
    ///
    /// With `isSingleUse` a ticket that is read is always replaced (RFC 8446 §C.4: clients use each once).
    func prepare(
        name: UnsafeMutablePointer<UInt8>,
        iv: UnsafeMutablePointer<UInt8>,
        cipher context: OpaquePointer,
        mac: OpaquePointer,
        isNew: Bool,
        isSingleUse: Bool
    ) -> Int32 {
        var index = 0
        var entry = ring.withLock { ring -> Entry? in
            if isNew { return ring.entries[0] }
            let raw = UnsafeRawPointer(name)
            let sought = (raw.loadUnaligned(as: UInt64.self), raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            while index < ring.entries.count {
                if ring.entries[index].name == sought { return ring.entries[index] }
                index += 1
            }
            return nil
        }
        guard entry != nil else { return 0 }
        defer { OPENSSL_cleanse(&entry, MemoryLayout<Entry?>.size) }
        return withUnsafeMutableBytes(of: &entry) { bytes -> Int32 in
            // Exception: an optional of a plain struct begins with the struct.
            guard let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return -1 }
            if isNew {
                guard RAND_bytes(iv, 16) == 1 else { return -1 }
                name.update(from: start, count: 16)
            }
            let ready =
                isNew
                ? EVP_EncryptInit_ex(context, Self.cipher, nil, start + 16, iv)
                : EVP_DecryptInit_ex(context, Self.cipher, nil, start + 16, iv)
            guard ready == 1, pc_EVP_MAC_CTX_set_hmac_sha256(mac, start + 48, 32) == 1 else { return -1 }
            return isNew || index == 0 && !isSingleUse ? 1 : 2
        }
    }
}

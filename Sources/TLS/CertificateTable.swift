// HOT once per handshake. From the name a client asks for (SNI, RFC 6066 §3) to the certificates for it.

/// Names to numbers, built once: open addressing over the bytes of the names.
struct CertificateTable: Sendable {
    private struct Entry {
        var start: Int32
        var count: Int32
        var value: Int32
    }

    private var bytes: [UInt8] = []
    private var entries: [Entry] = []
    /// Index into `entries` plus one, 0 where empty; a power of two, at most half full.
    private var slots: [Int32]

    /// The table of names in lower case; wildcards begin with `*.`.
    init(_ names: [(name: String, value: Int)]) {
        var size = 8
        while size < names.count * 2 { size *= 2 }
        slots = [Int32](repeating: 0, count: size)
        for (name, value) in names {
            let utf8 = Array(name.utf8)
            let entry = Entry(start: Int32(bytes.count), count: Int32(utf8.count), value: Int32(value))
            bytes.append(contentsOf: utf8)
            entries.append(entry)
            var slot = Int(truncatingIfNeeded: Self.hash(utf8)) & (size - 1)
            while slots[slot] != 0 { slot = (slot + 1) & (size - 1) }
            slots[slot] = Int32(entries.count)
        }
    }

    /// The value for a host in any case: its own, or that of the wildcard one label above; nil when there is none.
    func find(_ host: UnsafeBufferPointer<UInt8>) -> Int? {
        var count = host.count
        if count > 1, host[count - 1] == UInt8(ascii: ".") { count -= 1 }
        guard (1...253).contains(count) else { return nil }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { text in
            // One byte in front, for the star of a wildcard.
            for i in 0..<count { text.initializeElement(at: i + 1, to: CertificateNames.lowered(host[i])) }
            if let value = value(UnsafeBufferPointer(rebasing: text[1..<(count + 1)])) { return value }
            var dot = 1
            while dot <= count, text[dot] != UInt8(ascii: ".") { dot += 1 }
            guard dot > 1, dot <= count else { return nil }
            text[dot - 1] = UInt8(ascii: "*")
            return value(UnsafeBufferPointer(rebasing: text[(dot - 1)..<(count + 1)]))
        }
    }

    private func value(_ name: UnsafeBufferPointer<UInt8>) -> Int? {
        var slot = Int(truncatingIfNeeded: Self.hash(name)) & (slots.count - 1)
        while slots[slot] != 0 {
            let entry = entries[Int(slots[slot]) - 1]
            if Int(entry.count) == name.count {
                let start = Int(entry.start)
                var i = 0
                while i < name.count, bytes[start + i] == name[i] { i += 1 }
                if i == name.count { return Int(entry.value) }
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    // Only operators fill the table, so the hash needs no secret.
    private static func hash(_ bytes: some Collection<UInt8>) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}

// COLD. What Redis does in one step, in Lua; and the names of the keys.
//
// Keys, all behind the configured prefix:
//
//     s:{session}         the record (RedisRecord), ends by itself an hour after the session
//     a:{account}         its sessions by creation; a hash of the name, ends after its last session
//     index:removal       all sessions by when a sweep removes them
//     index:all           all sessions in the order of their keys
//     events              the stream of invalidations
//     v:{name}, k:{name}  small values and claims; secrets (hashes of the names)
//
// Outside of a cluster a script gets all the keys that belong to a change, so the change is one step. In a cluster every
// session has a slot of its own, so that look-ups spread; the scripts then get the session's key alone, and its entries
// in the indexes (which have one slot each, on up to three members) are written by commands of their own: before a record when
// it is created, after it when it ends. The record decides: an entry without record is passed over, and removed by the
// next sweep. A change is acknowledged when all of it is done. An end is announced before its record goes, and also when
// there is no record any more: other gateways may still have it in their caches.
internal import COpenSSL

/// A script and its name at the server.
struct RedisScript: Sendable {
    let body: String
    /// SHA-1 of the body, 40 hexadecimal digits.
    let digest: String

    init(_ body: String) {
        self.body = body
        var sum = [UInt8](repeating: 0, count: 20)
        let bytes = Array(body.utf8)
        _ = SHA1(bytes, bytes.count, &sum)
        let digits = Array("0123456789abcdef".utf8)
        digest = String(decoding: sum.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    func command(keys: [String], _ arguments: [RedisArgument], whole: Bool) -> RedisCommand {
        let name: [RedisArgument] = whole ? ["EVAL", RedisArgument(body)] : ["EVALSHA", RedisArgument(digest)]
        let count = RedisArgument(String(keys.count))
        return RedisCommand(key: keys.first, name + [count] + keys.map { RedisArgument($0) } + arguments)
    }

    /// `removal` as ``SessionRecord/removal``, and the time at which the server forgets it.
    private static let times = """
        local function times(head)
          local seen, idle = tonumber(head:sub(2, 17)), tonumber(head:sub(18, 33))
          local ends = tonumber(head:sub(34, 49))
          return seen, math.min(ends, seen + idle + math.min(math.floor(idle / 2), 300))
        end
        local function forget(key, removal)
          redis.call('PEXPIREAT', key, string.format('%.0f', (math.min(removal, 9000000000) + 3600) * 1000))
        end

        """

    /// Drops a session from both indexes and tells of its end.
    private static let gone = """
        local function gone(key, tell)
          redis.call('ZREM', KEYS[2], key)
          redis.call('ZREM', KEYS[3], key)
          if tell then redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[2], '*', 'e', ARGV[3] .. key) end
        end

        """

    /// Puts a session into its account's list, behind those of the same second, and lets the list live long enough.
    private static let enlisting = """
        local function enlist(account, key, created, life)
          local first = tonumber(created) * 1000000
          local last = redis.call('ZREVRANGEBYSCORE', account, string.format('%.0f', first + 999998),
            string.format('%.0f', first), 'WITHSCORES', 'LIMIT', 0, 1)
          if last[2] then first = tonumber(last[2]) + 1 end
          redis.call('ZADD', account, string.format('%.0f', first), key)
          if redis.call('PTTL', account) < tonumber(life) then redis.call('PEXPIRE', account, life) end
        end

        """

    /// Keys: session, removal, all, events, account, replaced session; or the session alone.
    ///
    /// Arguments: session, length of the stream, origin, record, created, life of the account's index (ms), most
    /// sessions, replaced session. Returns the record of the replaced session.
    static let create = RedisScript(
        times + gone + enlisting + """
            local _, removal = times(ARGV[4])
            local old = KEYS[6] and redis.call('GET', KEYS[6])
            if redis.call('EXISTS', KEYS[1]) == 1 then return redis.error_reply('FULL: the key is taken') end
            if KEYS[2] and not old and redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[7]) then
              return redis.error_reply('FULL: too many sessions')
            end
            redis.call('SET', KEYS[1], ARGV[4])
            forget(KEYS[1], removal)
            if KEYS[2] then
              redis.call('ZADD', KEYS[2], string.format('%.0f', removal), ARGV[1])
              redis.call('ZADD', KEYS[3], 0, ARGV[1])
              enlist(KEYS[5], ARGV[1], ARGV[5], ARGV[6])
            end
            if old then
              redis.call('DEL', KEYS[6])
              gone(ARGV[8], true)
            end
            return old
            """
    )

    /// Keys: account.
    ///
    /// Arguments: session, created, life of the index (ms).
    static let enlist = RedisScript(
        enlisting + """
            enlist(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
            return 1
            """
    )

    /// Keys: session, removal, all, events; or the session alone.
    ///
    /// Arguments: session, length of the stream, origin. Returns the record. The end is told even when there is none.
    static let end = RedisScript(
        gone + """
            local record = redis.call('GET', KEYS[1])
            if record then redis.call('DEL', KEYS[1]) end
            if KEYS[2] then gone(ARGV[1], true) end
            return record
            """
    )

    /// Keys: the stream.
    ///
    /// Arguments: its length, name of the field, origin and session. What is cut first lets the entry in when the
    /// server's memory is full: of a script it refuses the first write only.
    static let announce = RedisScript(
        """
        redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[1])
        return redis.call('XADD', KEYS[1], '*', ARGV[2], ARGV[3])
        """
    )

    /// As ``end``, but only when the session's time is over at the fourth argument.
    ///
    /// Returns the record; a number when it lives: when it is to be looked at again.
    static let sweep = RedisScript(
        times + gone + """
            local record = redis.call('GET', KEYS[1])
            if record then
              local _, removal = times(record)
              if removal > tonumber(ARGV[4]) then
                if KEYS[2] then redis.call('ZADD', KEYS[2], 'XX', string.format('%.0f', removal), ARGV[1]) end
                return removal
              end
              redis.call('DEL', KEYS[1])
            end
            if KEYS[2] then gone(ARGV[1], true) end
            return record
            """
    )

    /// Keys: sessions, and the removal index unless in a cluster.
    ///
    /// Arguments: number of sessions; then for each its name and the second of the request. Returns the new removals, −1
    /// for those that stay as they are, −2 for those that are gone.
    static let touch = RedisScript(
        times + """
            local result = {}
            local count = tonumber(ARGV[1])
            for i = 1, count do
              result[i] = -1
              local head = redis.call('GETRANGE', KEYS[i], 0, 64)
              if #head == 0 then result[i] = -2 end
              if #head == 65 then
                local at = tonumber(ARGV[2 * i + 1])
                local seen, removal = times(head)
                if at > seen and at < removal then
                  local moved = string.format('%016.0f', at)
                  redis.call('SETRANGE', KEYS[i], 1, moved)
                  seen, removal = times('1' .. moved .. head:sub(18))
                  forget(KEYS[i], removal)
                  if KEYS[count + 1] then
                    redis.call('ZADD', KEYS[count + 1], 'XX', string.format('%.0f', removal), ARGV[2 * i])
                  end
                  result[i] = removal
                end
              end
            end
            return result
            """
    )

    /// Keys: session, and the stream unless in a cluster.
    ///
    /// Arguments: session, length of the stream, origin, what takes the place of the old claims. Returns 1, or 0 when it
    /// is gone.
    static let refresh = RedisScript(
        """
        local record = redis.call('GET', KEYS[1])
        if not record then return 0 end
        local fixed = 71 + tonumber(record:sub(66, 71))
        local left = redis.call('PTTL', KEYS[1])
        redis.call('SET', KEYS[1], record:sub(1, fixed) .. ARGV[4])
        if left > 0 then redis.call('PEXPIRE', KEYS[1], left) end
        if KEYS[2] then redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', 'r', ARGV[3] .. ARGV[1]) end
        return 1
        """
    )

    /// Keys: value, which is returned and gone.
    static let take = RedisScript(
        """
        local value = redis.call('GET', KEYS[1])
        if value then redis.call('DEL', KEYS[1]) end
        return value
        """
    )

    /// Keys: value.
    ///
    /// Arguments: content, end in milliseconds of 1970, 1 when it must be new. Returns whether it was put.
    static let put = RedisScript(
        """
        if ARGV[3] == '1' and redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
        redis.call('SET', KEYS[1], ARGV[1])
        redis.call('PEXPIREAT', KEYS[1], ARGV[2])
        return 1
        """
    )
}

/// Names of the keys.
struct RedisKeys: Sendable {
    let prefix: String

    var removal: String { prefix + "index:removal" }
    var all: String { prefix + "index:all" }
    var events: String { prefix + "events" }
    func session(_ key: SessionKey) -> String { session(key.text) }
    func session(_ text: String) -> String { "\(prefix)s:{\(text)}" }
    func account(_ name: String) -> String { "\(prefix)a:{\(Self.hash(name))}" }
    func value(_ name: String) -> String { "\(prefix)v:{\(Self.hash(name))}" }
    func secret(_ name: String) -> String { "\(prefix)k:{\(Self.hash(name))}" }

    /// Names may hold anything, one-time codes included: none of it is seen in keys.
    private static func hash(_ name: String) -> String { SessionKey(hashing: Array(name.utf8)).text }
}

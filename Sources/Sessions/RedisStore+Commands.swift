// COLD. How the Redis store runs commands and scripts, and what answers mean.
internal import Reactor

/// One use of a script.
struct RedisUse: Sendable {
    let keys: [String]
    let arguments: [RedisArgument]
}

extension RedisStore {
    static let streamLength = RedisArgument(Int64(RedisEventPlan.length))
    static var now: Int64 { Clock.unixMilliseconds() / 1000 }

    /// All keys of a session but its account's.
    func whole(_ text: String) -> [String] { [keys.session(text), keys.removal, keys.all, keys.events] }

    /// An entry of the stream of changes.
    func entry(_ field: String, _ key: SessionKey) -> RedisCommand {
        let words: [RedisArgument] = [RedisArgument(keys.events), "MAXLEN", "~", Self.streamLength, "*"]
        let content = [RedisArgument(field), RedisArgument(origin + key.text)]
        return RedisCommand(key: keys.events, ["XADD"] + words + content)
    }

    func one(_ command: RedisCommand) async throws(StoreError) -> RedisReply {
        guard let result = try await client.send([command]).first else { throw .unavailable }
        return try Self.reply(result)
    }

    /// Any number of commands, some at a time.
    func all(_ commands: [RedisCommand]) async throws(StoreError) -> [RedisResult] {
        var results: [RedisResult] = []
        for start in stride(from: 0, to: commands.count, by: Self.batch) {
            results += try await client.send(Array(commands[start..<min(start + Self.batch, commands.count)]))
        }
        return results
    }

    func run(
        _ script: RedisScript,
        keys: [String],
        _ arguments: [RedisArgument]
    ) async throws(StoreError) -> RedisReply {
        try await run(script, [RedisUse(keys: keys, arguments: arguments)]).first ?? .none
    }

    /// Runs a script many times, by its digest; where a server does not know it yet, by its text.
    func run(_ script: RedisScript, _ uses: [RedisUse]) async throws(StoreError) -> [RedisReply] {
        var results = try await all(uses.map { script.command(keys: $0.keys, $0.arguments, whole: false) })
        let unknown = results.indices.filter {
            if case .success(.error(let text)) = results[$0] { return text.hasPrefix("NOSCRIPT") }
            return false
        }
        let again = try await all(
            unknown.map { script.command(keys: uses[$0].keys, uses[$0].arguments, whole: true) }
        )
        for (index, result) in zip(unknown, again) { results[index] = result }
        var replies: [RedisReply] = []
        for result in results { replies.append(try Self.reply(result)) }
        return replies
    }

    static func reply(_ result: RedisResult) throws(StoreError) -> RedisReply {
        switch result {
        case .failure(let error): throw error
        case .success(.error(let text)): throw error(text)
        case .success(let reply): return reply
        }
    }

    private static func error(_ text: String) -> StoreError {
        if text.hasPrefix("OOM") || text.contains("-OOM") || text.hasPrefix("FULL") { return .full }
        if text.hasPrefix("WRONGTYPE") { return .corrupt }
        return text.hasPrefix("BUSY") ? .timedOut : .unavailable
    }
}

// COLD. What the sections sessions, cookie, redis and sites accept, and what they say of the rest.
import Sessions
import Settings
import Testing

/// A value of the file, for tests that need no YAML.
private indirect enum Value: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    case plain(String)
    case list([Value])
    case map([(String, Value)])

    init(stringLiteral text: String) { self = .plain(text) }
    init(integerLiteral number: Int) { self = .plain(String(number)) }
    init(booleanLiteral value: Bool) { self = .plain(value ? "true" : "false") }
    init(arrayLiteral elements: Value...) { self = .list(elements) }
    init(dictionaryLiteral elements: (String, Value)...) { self = .map(elements) }

    func node(_ line: inout Int) -> SettingNode {
        line += 1
        let place = SourceLocation(line: line, column: 1)
        switch self {
        case .plain(let text): return SettingNode(.scalar(.init(text, isPlain: true)), at: place)
        case .list(let elements): return SettingNode(.sequence(elements.map { $0.node(&line) }), at: place)
        case .map(let members):
            let read = members.map { SettingNode.Member(key: $0.0, location: place, value: $0.1.node(&line)) }
            return SettingNode(.mapping(read), at: place)
        }
    }
}

/// A file system where all is well.
private struct Files: FileAccess {
    func read(_: String, limit _: Int) -> Result<[UInt8], FileProblem> { .success([UInt8](repeating: 65, count: 40)) }
    func problem(reading _: String) -> FileProblem? { nil }
    func problem(creating path: String) -> FileProblem? {
        path.contains("missing") ? FileProblem("cannot be made: there is no folder") : nil
    }
    func isReadableByEverybody(_: String) -> Bool { false }
}

@Suite struct SettingsTests {
    private func decode(_ value: Value) -> (settings: SessionSettings?, said: [String]) {
        let decoding = Decoding(baseDirectory: "/etc/gate", files: Files())
        var line = 0
        let settings = SessionSettings.decode(value.node(&line), decoding)
        return (settings, decoding.diagnostics.map { ($0.severity == .warning ? "warning: " : "") + $0.message })
    }

    @Test("the defaults are those of the house")
    func defaults() throws {
        let (settings, said) = decode([:])
        let it = try #require(settings)
        #expect(said == [])
        #expect(it.store == .sqlite && it.file == "/etc/gate/sessions.db")
        #expect(it.idle == .minutes(30) && it.lifetime == .hours(8) && it.rememberMe == .zero)
        #expect(it.touch == .seconds(60) && it.onStoreFailure == .deny && it.onStoreFailure.grace == .zero)
        #expect(it.cookie.name == "__Host-gw_session" && it.cookie.sameSite == .lax && it.cookie.path == "/")
        #expect(it.cookie.domain == nil && !it.cookie.isInsecure && it.sites == [] && it.secrets == [])
    }

    @Test("a whole section is read")
    func whole() throws {
        let (settings, said) = decode([
            "store": "redis", "on_store_failure": "grace 30s", "idle": "15m", "lifetime": "12h", "remember_me": "720h",
            "redis": [
                "servers": ["10.0.0.1:26379", "10.0.0.2:26379"], "sentinel_master": "main", "tls": [:],
                "password": "file:redis.password", "key_prefix": "gw:",
            ],
            "cookie": ["same_site": "strict"],
            "sites": [
                ["hosts": ["app.example.com", "*.app.example.com"]],
                ["hosts": ["shop.example.org"], "cookie": ["name": "shop", "domain": "example.org"]],
            ],
            "login_host": "app.example.com", "secrets": ["file:new.key", "file:old.key"],
            "origins": ["https://APP.example.com:443", "http://localhost:3000"],
        ])
        let it = try #require(settings)
        #expect(said == [])
        #expect(it.onStoreFailure == .grace(.seconds(30)))
        #expect(it.redis?.sentinelMaster == "main" && it.redis?.servers.count == 2)
        #expect(it.origins.map(\.text) == ["https://app.example.com", "http://localhost:3000"])
        #expect(it.cookie(of: "shop.example.org").name == "shop")
        #expect(it.cookie(of: "x.app.example.com").name == "__Host-gw_session")
        #expect(it.cookie(of: "elsewhere.example").sameSite == .strict)
        #expect(it.cookies.map(\.name) == ["__Host-gw_session", "shop"])
    }

    @Test("what __Host- and __Secure- promise is kept, in any spelling")
    func prefixes() {
        #expect(
            decode(["cookie": ["name": "__Host-s", "insecure": true]]).said.first?.contains("is only for TLS") == true
        )
        #expect(
            decode(["cookie": ["name": "__HOST-s", "domain": "example.com"]]).said.first?.contains("has no domain")
                == true
        )
        #expect(
            decode(["cookie": ["name": "__host-s", "path": "/app"]]).said.first?.contains("has the path /") == true
        )
        #expect(
            decode(["cookie": ["name": "__Secure-s", "insecure": true]]).said.first?.contains("leave out __Secure-")
                == true
        )
        #expect(decode(["cookie": ["name": "__Secure-s", "domain": "example.com"]]).said == [])
        #expect(
            decode(["cookie": ["same_site": "none", "insecure": true]]).said.first?.contains("none is only for TLS")
                == true
        )
    }

    @Test("without a name of its own, a cookie that __Host- forbids is called gw_session, and insecure is warned of")
    func plainName() {
        for (key, value): (String, Value) in [("insecure", true), ("domain", "example.com"), ("path", "/app")] {
            let (settings, said) = decode(["cookie": .map([(key, value)])])
            #expect(settings?.cookie.name == "gw_session")
            #expect(said.isEmpty == (key != "insecure") && said.allSatisfy { $0.hasPrefix("warning: ") })
        }
    }

    @Test("times that contradict each other are refused, and defaults give way")
    func times() {
        #expect(
            decode(["idle": "9h"]).said == [": idle: 9h is more than lifetime (8h)"].map { String($0.dropFirst(2)) }
                || decode(["idle": "9h"]).said.first?.contains("9h is more than lifetime (8h)") == true
        )
        #expect(decode(["idle": "30s", "touch": "20s"]).said.first?.contains("more than half of idle (30s)") == true)
        let quick = decode(["idle": "10s", "lifetime": "60s"])
        #expect(quick.said == [] && quick.settings?.touch == .seconds(5))
        let short = decode(["lifetime": "10m"])
        #expect(short.said == [] && short.settings?.idle == .minutes(10))
        #expect(decode(["remember_me": "1h"]).said.first?.contains("less than lifetime (8h)") == true)
    }

    @Test(
        "out of range, unknown or malformed values are refused",
        arguments: [
            ("idle", "1s"), ("lifetime", "721h"), ("touch", "6m"), ("maximum_per_account", "0"), ("maximum", "0"),
            ("on_store_failure", "grace"), ("on_store_failure", "grace 16m"), ("on_store_failure", "allow"),
            ("store", "postgres"), ("origins", "x"), ("login_host", "https://a.example"),
        ]
    )
    func refused(_ key: String, _ text: String) {
        #expect(!decode(.map([(key, .plain(text))])).said.isEmpty)
    }

    @Test(
        "origins with paths, wild cards or other schemes are refused",
        arguments: [
            "app.example.com", "https://app.example.com/", "https://*.example.com", "ftp://a.example", "https://",
            "null",
            "https://a.example:0", "https://user@a.example", "https://a.example:99999",
        ]
    )
    func origins(_ text: String) { #expect(!decode(["origins": [.plain(text)]]).said.isEmpty) }

    @Test("redis is addressed in one way, and says what is missing")
    func redis() {
        func said(_ redis: Value) -> String { decode(["store": "redis", "redis": redis]).said.first ?? "" }
        #expect(said(["servers": ["10.0.0.1:1", "10.0.0.2:1"]]).contains("need sentinel_master or cluster"))
        #expect(said(["cluster": true, "sentinel_master": "m"]).contains("leave out cluster or sentinel_master"))
        #expect(said(["cluster": true, "database": 1]).contains("a cluster has only database 0"))
        #expect(said(["sentinel_password": "file:x"]).contains("needs the key \"sentinel_master\""))
        #expect(said(["username": "u"]).contains("needs the key \"password\""))
        let clear = said(["servers": ["10.0.0.1:6379"], "password": "file:x"])
        #expect(clear.hasPrefix("warning: ") && clear.contains("goes in clear text to another machine"))
        #expect(said(["servers": ["127.0.0.1:6379"], "password": "file:x"]) == "")
    }

    @Test("keys of one store are not written for another, and the file's folder must be there")
    func stores() {
        #expect(decode(["store": "memory", "file": "x.db"]).said.first?.contains("is for store: sqlite") == true)
        #expect(decode(["redis": [:]]).said.first?.contains("is for store: redis") == true)
        #expect(decode(["file": "missing/x.db"]).said.first?.contains("there is no folder") == true)
    }

    @Test("sites do not share hosts, their cookies reach them, and the login host is one of theirs")
    func sites() {
        func said(_ sites: Value, _ host: Value = "a.example") -> String {
            decode(["sites": sites, "login_host": host]).said.first ?? ""
        }
        #expect(said([["hosts": ["a.example"]], ["hosts": ["A.example"]]]).contains("already belongs to a site"))
        #expect(said([["hosts": ["a.example"], "cookie": ["domain": "b.example.org"]]]).contains("is not below"))
        #expect(said([["hosts": ["b.example"]]]).contains("is no host of a site"))
        #expect(said([["hosts": ["*"]]]).contains("expected a host such as"))
        #expect(decode(["login_host": "a.example"]).said.first?.contains("needs the key \"sites\"") == true)
        #expect(said([["hosts": ["a.example"]]]) == "")
    }

    @Test("secrets shorter than 32 bytes are refused without showing them")
    func secrets() {
        let (_, said) = decode(["secrets": ["tooshort"]])
        #expect(said.contains { $0.contains("at least 32 bytes") } || said.count > 1)
    }

    @Test("the store of the settings is made, and what is wrong with it is said")
    func make() async throws {
        var settings = SessionSettings()
        settings.store = .memory
        #expect(try makeStore(settings).name == "memory")
        let folder = try Folder()
        settings.store = .sqlite
        settings.file = folder.file()
        let store = try makeStore(settings)
        #expect(store.name == "sqlite")
        await store.close()
        settings.file = folder.file("no/folder.db")
        #expect(throws: StoreOpening.self) { _ = try makeStore(settings) }
    }
}

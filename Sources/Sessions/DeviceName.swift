// COLD. A name by which people know a device again, made from its User-Agent. Not for decisions.

/// Readable names of browsers and programs: `Firefox on Windows`.
public enum DeviceName {
    /// Most characters of a name.
    public static let longest = 40
    /// What is not recognised.
    public static let unknown = "Unknown device"
    /// Most bytes of a `User-Agent` that are looked at.
    private static let looked = 512

    /// The name for a `User-Agent`; letters, digits, spaces and `.-_/` only, at most 40 of them.
    public static func make(userAgent: String) -> String {
        let agent = String(decoding: userAgent.utf8.prefix(looked), as: UTF8.self)
        let browser = browsers.first { agent.contains($0.mark) }?.name
        let system = systems.first { agent.contains($0.mark) }?.name
        switch (browser, system) {
        case (let browser?, let system?): return "\(browser) on \(system)"
        case (let browser?, nil): return browser
        case (nil, let system?) where agent.hasPrefix("Mozilla/"): return "Browser on \(system)"
        default: return program(agent)
        }
    }

    /// What others also claim to be comes last.
    private static let browsers: [(mark: String, name: String)] = [
        ("EdgA/", "Edge"), ("EdgiOS/", "Edge"), ("Edg/", "Edge"), ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Vivaldi/", "Vivaldi"), ("YaBrowser/", "Yandex Browser"), ("DuckDuckGo/", "DuckDuckGo"), ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"), ("HeadlessChrome/", "Headless Chrome"), ("Firefox/", "Firefox"),
        ("Chromium/", "Chromium"), ("Chrome/", "Chrome"), ("Trident/", "Internet Explorer"),
        ("MSIE ", "Internet Explorer"), ("Version/", "Safari"),
    ]

    private static let systems: [(mark: String, name: String)] = [
        ("Windows Phone", "Windows Phone"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"),
        ("CrOS", "ChromeOS"), ("Windows", "Windows"), ("Macintosh", "macOS"), ("Mac OS X", "macOS"),
        ("FreeBSD", "FreeBSD"), ("Linux", "Linux"), ("X11", "Unix"),
    ]

    /// The first product of an agent that is no browser: `curl/8.5.0`.
    private static func program(_ agent: String) -> String {
        let first = agent.prefix { $0 != " " && $0 != "(" }
        let kept = first.utf8.filter {
            switch $0 {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
            default: "./-_".utf8.contains($0)
            }
        }
        let name = String(decoding: kept.prefix(longest), as: UTF8.self)
        return name.isEmpty || name.hasPrefix("Mozilla/") ? unknown : name
    }
}

// COLD. Models to HTML: templates, words and style sheet of one configuration, loaded and checked once.
import COpenSSL
import FoundationEssentials
public import Settings

/// Where the pages' own files are and how the site is called.
public struct PageOptions: Sendable, Equatable {
    /// Name of the site, in the heading of every page and in its title.
    public var title = "Portcullis"
    /// Where the portal's paths begin.
    public var prefix = "/auth"
    /// Image file (svg, png, jpeg, webp, gif; at most 256 KiB) in place of mark and name; nil: none.
    public var logo: String?
    /// Folder with `*.mustache` and `portal.css` that replace built-in ones of the same name; nil: none.
    public var templates: String?
    /// Folder with `strings.<language>.yaml` that replace texts or add languages; nil: none.
    public var strings: String?
    /// Languages that are offered, in this order; empty: all that there are.
    public var languages: [String] = []
    /// Language for readers whose languages there are not.
    public var defaultLanguage = "en"

    /// All defaults.
    public init() {}

    /// As configured.
    public init(_ settings: PortalSettings) {
        title = settings.title
        prefix = settings.prefix
        logo = settings.logo?.path
        templates = settings.templates
        strings = settings.strings
        languages = settings.languages
        defaultLanguage = settings.defaultLanguage
    }
}

/// What is wrong with the operator's own templates, texts or logo.
public struct PageProblems: Error, Sendable, Equatable, CustomStringConvertible {
    /// Sentences, each with `file:line` where there is one.
    public let messages: [String]
    /// All of them.
    public var description: String { messages.joined(separator: "\n") }
}

/// The portal's pages.
public final class PageRenderer: PageRendering {
    private let options: PageOptions
    private let strings: [String: PageStrings]
    private let templates: PageTemplates
    private let style: String
    private let policyStart: String
    private let assets: [String: PageAsset]
    private let logo: String?
    /// Languages that are offered, as lower-cased tags, in order.
    public let languages: [String]
    /// What an operator should know about his files although they work, as sentences.
    public let warnings: [String]

    /// A picture for the browser's tab that reads on light and dark.
    private static let icon =
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32'"
        + " rx='7' fill='%23195a6c'/%3E%3Cpath d='M10 4v22M16 4v25M22 4v22M4 11h24M4 19h24' stroke='%23fff'"
        + " stroke-width='2.5' stroke-linecap='round'/%3E%3C/svg%3E"

    /// Reads and checks everything.
    ///
    /// - Throws: ``PageProblems`` with all that is wrong, so that a bad file is found by `check` and never by a reader.
    public init(_ options: PageOptions = PageOptions()) throws(PageProblems) {
        var problems: [String] = []
        var warnings: [String] = []
        let read = PageLanguages.read(options, &problems, &warnings)
        let english = PageLanguages.english
        var names: [String: Set<String>] = [:]
        for page in Page.samples {
            var context = PageContext(page, english, chosen: nil, title: options.title, prefix: options.prefix)
            Self.frame(&context, language: "en", style: "", languages: read.strings, order: read.order, logo: "/logo")
            names[page.template, default: []].formUnion(Self.names(in: context.names))
        }
        templates = PageTemplates(
            folder: options.templates,
            names: names,
            strings: english,
            problems: &problems,
            warnings: &warnings
        )
        var assets: [String: PageAsset] = [:]
        var logo: String?
        if let path = options.logo, let image = PageLogo.read(path, &problems) {
            assets[image.name] = image.asset
            logo = "\(options.prefix)/assets/\(image.name)"
        }
        if !problems.isEmpty { throw PageProblems(messages: problems) }
        self.options = options
        strings = read.strings
        languages = read.order
        style = "<style>\(templates.style)</style>"
        let digest = Data(PageDigest.sha256(Array(templates.style.utf8))).base64EncodedString()
        policyStart = "default-src 'none'; style-src 'sha256-\(digest)'; img-src 'self' data:; form-action 'self'"
        self.assets = assets
        self.logo = logo
        self.warnings = warnings
    }

    /// The page in the reader's language.
    public func render(_ page: Page, for reader: PageReader) -> RenderedPage {
        let chosen = reader.language.flatMap { PageLanguage.match($0, among: languages) }
        let language =
            chosen
            ?? PageLanguage.choose(
                reader.acceptLanguage,
                among: languages,
                fallback: options.defaultLanguage.lowercased()
            )
        let words = strings[language] ?? PageLanguages.english
        var context = PageContext(page, words, chosen: chosen, title: options.title, prefix: options.prefix)
        Self.frame(&context, language: language, style: style, languages: strings, order: languages, logo: logo)
        let html = templates.render(page.template, context.names) ?? PageText.escaped(context.heading)
        return RenderedPage(body: Array(html.utf8), language: Self.tag(language), policy: policy(reader.formOrigins))
    }

    /// The gate's own error pages.
    public func preparedPages() -> PreparedPages {
        PreparedPages(
            languages: languages,
            fallback: options.defaultLanguage.lowercased(),
            tags: languages.map(Self.tag),
            policy: policy([]),
            style: style
        ) { page, language in
            let words = strings[language] ?? PageLanguages.english
            var context = PageContext(.error(page), words, chosen: nil, title: options.title, prefix: options.prefix)
            // No links to other languages: the address is a service's.
            Self.frame(&context, language: language, style: PageSlot.style.mark, languages: [:], order: [], logo: logo)
            return templates.render(Page.error(page).template, context.names) ?? PageText.escaped(context.heading)
        }
    }

    /// The logo, by the name that pages refer to.
    public func asset(_ name: String) -> PageAsset? { assets[name] }

    /// What all pages share.
    private static func frame(
        _ context: inout PageContext,
        language: String,
        style: String,
        languages: [String: PageStrings],
        order: [String],
        logo: String?
    ) {
        context.put("lang", tag(language))
        context.put("dir", PageLanguage.isRightToLeft(language) ? "rtl" : "ltr")
        context.put("icon", icon)
        context.put("style", raw: style)
        context.put("logo", logo)
        context.put("has_languages", raw: order.count > 1)
        let choices: [[String: Any]] = order.map { code in
            [
                "code": tag(code), "name": PageText.escaped(languages[code]?.name ?? code),
                "href": PageText.escaped(context.link(in: code)),
                "is_current": code == language,
            ]
        }
        context.put("languages", raw: choices)
    }

    /// `pt-br` as `pt-BR` (RFC 5646 §2.1.1).
    private static func tag(_ language: String) -> String {
        let parts = language.split(separator: "-")
        guard parts.count > 1 else { return language }
        return parts.enumerated().map { index, part in
            index > 0 && part.count == 2 ? part.uppercased() : part.count == 4 ? part.capitalized : String(part)
        }
        .joined(separator: "-")
    }

    /// The content security policy; `origins` that cannot be one are left out.
    private func policy(_ origins: [String]) -> String {
        var policy = policyStart
        for origin in origins.prefix(64) where ["https:", "http:"].contains(origin) || Self.isOrigin(origin) {
            policy += " \(origin)"
        }
        return policy + "; frame-ancestors 'none'; base-uri 'none'"
    }

    private static func isOrigin(_ text: String) -> Bool {
        guard let start = ["https://", "http://"].first(where: text.hasPrefix), text.utf8.count <= 280 else {
            return false
        }
        let rest = text.utf8.dropFirst(start.utf8.count)
        return !rest.isEmpty
            && rest.allSatisfy {
                switch $0 {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x3a, 0x5b, 0x5d, 0x5f: true
                default: false
                }
            }
    }

    /// All names at all depths of a context.
    private static func names(in context: [String: Any]) -> Set<String> {
        var names = Set(context.keys)
        for value in context.values {
            if let inner = value as? [String: Any] {
                names.formUnion(Self.names(in: inner))
            } else if let rows = value as? [[String: Any]] {
                for row in rows { names.formUnion(Self.names(in: row)) }
            }
        }
        return names
    }
}

/// SHA-256.
enum PageDigest {
    /// The 32 bytes of a digest.
    static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        SHA256(bytes, bytes.count, &digest)
        return digest
    }
}

/// The operator's logo.
enum PageLogo {
    private static let types = [
        "svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp",
        "gif": "image/gif",
    ]

    /// The file, with a name that changes with its contents.
    static func read(_ path: String, _ problems: inout [String]) -> (name: String, asset: PageAsset)? {
        let ending = path.split(separator: ".").last.map { $0.lowercased() } ?? ""
        guard let type = types[ending] else {
            problems.append("\(path): a logo is an svg, png, jpeg, webp or gif file")
            return nil
        }
        guard let bytes = PageFile.bytes(path, &problems) else { return nil }
        let digest = PageDigest.sha256(bytes).prefix(8).map { byte in
            let text = String(byte, radix: 16)
            return text.count < 2 ? "0\(text)" : text
        }
        return ("logo-\(digest.joined()).\(ending)", PageAsset(type: type, body: bytes))
    }
}

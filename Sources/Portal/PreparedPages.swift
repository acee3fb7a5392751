// COLD. Error pages of the gate, rendered once per configuration: an answer only puts them together.

/// What stands behind a piece of a prepared page.
public enum PageSlot: UInt8, Sendable, CaseIterable {
    /// Nothing more.
    case end
    /// The style sheet, which all pages share.
    case style
    /// The request's id.
    case requestID
    /// What went wrong, in English, for whoever looks into it.
    case detail
    /// Where to log in.
    case login

    /// What stands for it while a page is rendered: a path, so that a link may be made of it.
    var mark: String { "/slot-9c41e7b05d-\(rawValue)/" }
}

/// A page in pieces.
public struct PreparedPage: Sendable {
    /// Bytes and what comes after them.
    public struct Piece: Sendable {
        /// HTML in UTF-8.
        public let bytes: [UInt8]
        /// What comes after it.
        public let next: PageSlot
    }

    /// In order; the last one has ``PageSlot/end`` behind it.
    public let pieces: [Piece]

    /// Cuts `html` at the marks.
    init(_ html: String) {
        var pieces: [Piece] = []
        let bytes = Array(html.utf8)
        let marks = PageSlot.allCases.filter { $0 != .end }.map { (slot: $0, mark: Array($0.mark.utf8)) }
        var (start, index) = (0, 0)
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "/"),
                let (slot, mark) = marks.first(where: { bytes[index...].starts(with: $0.mark) })
            {
                pieces.append(Piece(bytes: Array(bytes[start..<index]), next: slot))
                index += mark.count
                start = index
            } else {
                index += 1
            }
        }
        pieces.append(Piece(bytes: Array(bytes[start...]), next: .end))
        self.pieces = pieces
    }
}

/// The error pages of one configuration, in every language that is offered.
public final class PreparedPages: Sendable {
    /// What a page is about beside its status.
    public enum Kind: Int, Sendable, CaseIterable {
        /// The status says it.
        case plain
        /// A login helps.
        case login
        /// A login helps, and what was sent was not taken.
        case unsaved
    }

    /// Lower-cased language tags in the order of preference of whoever likes all the same.
    public let languages: [[UInt8]]
    /// The place of the language for readers whose languages there are not.
    public let fallback: Int
    /// Value of `Content-Language`, by the place of the language.
    public let tags: [[UInt8]]
    /// Value of `Content-Security-Policy`.
    public let policy: [UInt8]
    /// The style sheet with its element.
    public let style: [UInt8]
    private let pages: [PreparedPage]
    private let places: [Int]

    /// Statuses and the names of their texts.
    static let statuses: [(status: Int, code: String)] = [
        (400, "client"), (401, "login_needed"), (403, "forbidden"), (404, "not_found"), (405, "method_not_allowed"),
        (408, "request_timeout"), (411, "client"), (413, "content_too_large"), (414, "address_too_long"),
        (415, "client"), (417, "client"), (421, "misdirected"), (429, "too_many_requests"), (431, "head_too_large"),
        (500, "server"),
        (501, "client"), (502, "bad_gateway"), (503, "service_unavailable"), (504, "gateway_timeout"), (505, "client"),
    ]
    private static let codes: [Kind: String] = [.login: "login_needed", .unsaved: "not_saved"]

    init(
        languages: [String],
        fallback: String,
        tags: [String],
        policy: String,
        style: String,
        render: (_ page: ErrorPage, _ language: String) -> String
    ) {
        self.languages = languages.map { Array($0.utf8) }
        self.fallback = languages.firstIndex(of: fallback) ?? 0
        self.tags = tags.map { Array($0.utf8) }
        self.policy = Array(policy.utf8)
        self.style = Array(style.utf8)
        var places = [Int](repeating: -1, count: 600)
        var pages: [PreparedPage] = []
        for (place, (status, code)) in Self.statuses.enumerated() {
            places[status] = place
            for language in languages {
                for kind in Kind.allCases {
                    var page = ErrorPage()
                    page.status = status
                    page.code = status == 401 ? Self.codes[kind] ?? code : code
                    page.requestID = PageSlot.requestID.mark
                    // Whoever is to log in need not know what a program would have sent.
                    if kind == .plain {
                        page.note = PageSlot.detail.mark
                    } else {
                        page.way = .login(PageSlot.login.mark)
                    }
                    pages.append(PreparedPage(render(page, language)))
                }
            }
        }
        self.pages = pages
        self.places = places
    }

    /// The page for a status in the language at `language`; nil for statuses that the gate does not answer with.
    public func page(_ status: Int, _ kind: Kind, language: Int) -> PreparedPage? {
        guard places.indices.contains(status), places[status] >= 0, languages.indices.contains(language) else {
            return nil
        }
        return pages[(places[status] * languages.count + language) * Kind.allCases.count + kind.rawValue]
    }
}

// COLD. The operator's own templates, texts and logo: what they change, and how mistakes in them are told.
import Foundation
import Testing

@testable import Portal

@Suite("Own pages")
struct PageFolderTests {
    let folder = FileManager.default.temporaryDirectory.appending(path: "pages-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

    private func remove() { try? FileManager.default.removeItem(at: folder) }

    private func put(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: folder.appending(path: name))
    }

    private var options: PageOptions {
        var options = PageOptions()
        (options.title, options.templates, options.strings) = ("Meridian", folder.path, folder.path)
        return options
    }

    private func html(_ renderer: PageRenderer, _ accept: String = "en") -> String {
        var reader = PageReader()
        reader.acceptLanguage = accept
        var page = SignedOutPage()
        page.login = "/auth/login"
        return String(decoding: renderer.render(.signedOut(page), for: reader).body, as: UTF8.self)
    }

    private func problems() -> [String] {
        do throws(PageProblems) {
            _ = try PageRenderer(options)
            return []
        } catch {
            return error.messages.map { $0.replacingOccurrences(of: folder.path + "/", with: "") }
        }
    }

    @Test("an own template, style sheet and text take the place of the built-in ones")
    func overrides() throws {
        defer { remove() }
        try put("signed_out.mustache", "<!doctype html><title>{{title}}</title>{{style}}<p>{{t.signed_out.title}}</p>")
        try put("portal.css", "p{color:red}")
        try put("strings.en.yaml", "signed_out:\n  title: Gone <b>\n")
        let text = html(try PageRenderer(options))
        #expect(text.contains("<style>p{color:red}</style><p>Gone &lt;b&gt;</p>"))
        #expect(text.contains("<title>Meridian</title>"))
    }

    @Test("an own template cannot write a value that is not escaped")
    func unescaped() throws {
        defer { remove() }
        try put("error.mustache", "{{{text}}} {{&text}} {{text}}")
        var page = ErrorPage()
        page.detail = "<b>"
        let text = try PageRenderer(options).render(.error(page), for: PageReader()).body
        #expect(String(decoding: text, as: UTF8.self) == "&lt;b&gt; &lt;b&gt; &lt;b&gt;")
    }

    @Test("a language is added; what its file lacks is in English, and said")
    func language() throws {
        defer { remove() }
        try put("strings.fr.yaml", "name: Français\nsigned_out:\n  title: Vous êtes déconnecté\n")
        let renderer = try PageRenderer(options)
        #expect(renderer.languages == ["en", "de", "fr"])
        let text = html(renderer, "fr-CA")
        #expect(text.contains("<html lang=\"fr\""))
        #expect(text.contains("Vous êtes déconnecté"))
        #expect(text.contains("Log in again"))
        #expect(renderer.warnings.count == 1)
    }

    @Test(
        "mistakes are told with file, line and the nearest right name",
        arguments: [
            (
                "login.mustache", "<form>\n{{acton}}{{csrf}}",
                "login.mustache:2: there is no {{acton}} here; nearest is {{action}}"
            ),
            ("error.mustache", "a\nb\n{{#wait}}", "error.mustache:3: a section is not closed"),
            (
                "error.mustache", "{{#wait}}\n{{/what}}",
                "error.mustache:2: a section is closed that is not the one that is open"
            ),
            ("error.mustache", "{{>layot}}", "error.mustache:1: there is no template layot; nearest is layout"),
            ("gate.mustache", "{{>gate}}", "gate.mustache:1: gate is a part of itself"),
            ("error.mustache", "{{=<% %>=}}", "error.mustache:1: delimiters cannot be changed here"),
            (
                "error.mustache", "{{t.error.retri}}",
                "error.mustache:1: there is no text {{t.error.retri}}; nearest is {{t.error.retry}}"
            ),
            ("login.mustache", "{{action}}{{return_to}}", "login.mustache: a form does not work without {{csrf}}"),
            (
                "login.mustache", "{{!csrf}}{{action}}{{return_to}}",
                "login.mustache: a form does not work without {{csrf}}"
            ),
            (
                "login.mustache", "<!-- {{csrf}} -->{{action}}{{return_to}}",
                "login.mustache: a form does not work without {{csrf}}"
            ),
            ("login.mustache", "{{csrf}}{{action}}{{return_to}}", "login.mustache: there is no <form method=\"post\">"),
            (
                "login.mustache",
                "<form method='post' action='{{action}}'><input name=csrf value='{{csrf}}'><input name='return_to' "
                    + "value='{{return_to}}'><input name='username'>",
                "login.mustache: a form does not work without a field with name=\"password\""
            ),
            ("portal.css", "</STYLE>", "portal.css: a style sheet cannot hold \"</style\""),
            (
                "strings.en.yaml", "login:\n  titel: x",
                "strings.en.yaml: login.titel: there is no such text; nearest is login.title"
            ),
            (
                "strings.de.yaml", "confirm: {text: '{acount}'}",
                "strings.de.yaml: confirm.text: {acount} is not filled in here; {account} is"
            ),
            ("strings.de.yaml", "- a", "strings.de.yaml:1:1: : expected a text, not a list"),
            ("strings.x.yaml", "a: b", "strings.x.yaml: expected strings.LANGUAGE.yaml, such as strings.fr.yaml"),
        ]
    )
    func mistakes(file: String, text: String, expected: String) throws {
        defer { remove() }
        try put(file, text)
        let found = problems()
        #expect(found.contains(expected), "\(found)")
    }

    @Test("a file of texts that is not read is told, two of one language and a language twice are refused")
    func languageFiles() throws {
        defer { remove() }
        try put("fr.yaml", "name: Français")
        try put("strings-fr.yaml", "name: Français")
        #expect(try PageRenderer(options).warnings.count == 2)
        try put("strings.en.yaml", "login: {submit: ''}")
        try put("error.mustache", "<img src=https://cdn.example/x.png>")
        #expect(try PageRenderer(options).warnings.count == 4)
        try put("strings.de.yaml", "name: A")
        try put("strings.DE.yml", "name: B")
        #expect(problems() == ["strings.de.yaml: the texts of de are in strings.DE.yml already"])
        var options = PageOptions()
        options.languages = ["de", "en", "DE"]
        do throws(PageProblems) {
            _ = try PageRenderer(options)
            Issue.record("it was accepted")
        } catch {
            #expect(error.messages == ["language de: it is there twice"])
        }
    }

    @Test("a language without texts, a folder and a logo that are not there are told together")
    func missing() {
        defer { remove() }
        var options = PageOptions()
        (options.templates, options.strings, options.logo) = ("/no/such", "/no/such", "/no/such.svg")
        options.defaultLanguage = "fr"
        do throws(PageProblems) {
            _ = try PageRenderer(options)
            Issue.record("it was accepted")
        } catch {
            #expect(error.messages.count == 4, "\(error)")
        }
    }

    @Test("a logo has a name that changes with it, and stands in the pages")
    func logo() throws {
        defer { remove() }
        try put("logo.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>")
        var options = options
        options.logo = folder.appending(path: "logo.svg").path
        let renderer = try PageRenderer(options)
        let text = html(renderer)
        let start = try #require(text.range(of: "/auth/assets/"))
        let name = String(text[start.upperBound...].prefix { $0 != "\"" })
        #expect(renderer.asset(name)?.type == "image/svg+xml")
        #expect(renderer.asset("../" + name) == nil)
        #expect(text.contains("alt=\"Meridian\""))
        try put("logo.svg", "<svg xmlns='http://www.w3.org/2000/svg' id='2'/>")
        #expect(try PageRenderer(options).asset(name) == nil)
    }
}

// COLD. Loads a configuration file: text to checked settings, or to everything that is wrong with it.
public import Settings

/// What came of a configuration file.
public struct Loaded: Sendable {
    /// The settings; nil when there is any error.
    public var settings: GatewaySettings?
    /// Errors and warnings, in the order of the file.
    public var diagnostics: [Diagnostic]

    /// The outcome of a load.
    public init(settings: GatewaySettings?, diagnostics: [Diagnostic]) {
        self.settings = settings
        self.diagnostics = diagnostics
    }

    /// Only what forbids using the file.
    public var errors: [Diagnostic] { diagnostics.filter { $0.severity == .error } }
}

/// Loading the configuration.
public enum Configuration {
    /// Largest configuration file.
    public static let maximumBytes = 1 << 20

    /// Loads the file at `path`; relative paths in it begin at its folder.
    public static func load(path: String, environment: [String: String]) -> Loaded {
        let files = LocalFiles()
        switch files.read(path, limit: maximumBytes) {
        case .failure(let problem):
            return Loaded(settings: nil, diagnostics: [Diagnostic(at: .unknown, problem.text, file: path)])
        case .success(let bytes):
            let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
            return load(bytes: bytes, fileName: path, baseDirectory: folder, environment: environment, files: files)
        }
    }

    /// Loads a text; relative paths in it begin at `baseDirectory`, `fileName` is for messages.
    public static func load(
        text: String,
        fileName: String,
        baseDirectory: String,
        environment: [String: String]
    ) -> Loaded {
        load(bytes: Array(text.utf8), fileName: fileName, baseDirectory: baseDirectory, environment: environment)
    }

    /// Loads bytes that should be UTF-8.
    static func load(
        bytes: [UInt8],
        fileName: String,
        baseDirectory: String,
        environment: [String: String],
        files: any FileAccess = LocalFiles()
    ) -> Loaded {
        let decoding = Decoding(baseDirectory: baseDirectory, files: files)
        let settings = decode(bytes, fileName: fileName, environment, decoding)
        var diagnostics: [Diagnostic] = []
        let sorted = decoding.diagnostics.enumerated()
            .sorted { ($0.element.location, $0.offset) < ($1.element.location, $1.offset) }
        for var diagnostic in sorted.map(\.element) {
            diagnostic.file = fileName
            if diagnostic != diagnostics.last { diagnostics.append(diagnostic) }
        }
        return Loaded(settings: decoding.hasErrors ? nil : settings, diagnostics: diagnostics)
    }

    private static func decode(
        _ bytes: [UInt8],
        fileName: String,
        _ environment: [String: String],
        _ decoding: Decoding
    ) -> GatewaySettings? {
        guard let tree = YAMLTree(environment: environment, decoding).read(bytes),
            var settings = GatewaySettings.decode(tree, decoding)
        else { return nil }
        RouteFolding(decoding).fold(&settings)
        var files = FileChecks(settings, path: fileName, decoding)
        files.run()
        CrossChecks(settings, decoding).run()
        return settings
    }
}

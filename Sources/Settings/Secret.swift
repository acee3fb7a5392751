// COLD. A value that must never be printed, and files that the configuration names.

/// A secret: its bytes are reached only by `reveal`, everything that prints shows `<redacted>`.
public struct Secret: Sendable, Equatable, Hashable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// Where the value came from.
    public enum Origin: Sendable, Equatable, Hashable {
        /// Written in the file itself.
        case inline
        /// `${NAME}`.
        case environment(String)
        /// `file:path`, resolved.
        case file(String)
    }

    /// Where the value came from; shown in messages instead of the value.
    public let origin: Origin
    private let bytes: [UInt8]

    /// A secret of these bytes.
    public init(_ bytes: [UInt8], origin: Origin = .inline) {
        self.bytes = bytes
        self.origin = origin
    }

    /// Number of bytes.
    public var count: Int { bytes.count }

    /// The bytes themselves: for key import only, never for messages.
    public func reveal() -> [UInt8] { bytes }

    /// Never the value.
    public var description: String {
        switch origin {
        case .inline: "<redacted>"
        case .environment(let name): "<redacted: ${\(name)}>"
        case .file(let path): "<redacted: file:\(path)>"
        }
    }
    /// Never the value.
    public var debugDescription: String { description }
    /// Never the value.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// A file that the configuration names; readable when the configuration was loaded.
public struct FileReference: Sendable, Hashable {
    /// Path, resolved against the folder of the configuration file.
    public var path: String

    /// The file at `path`.
    public init(_ path: String) { self.path = path }
}

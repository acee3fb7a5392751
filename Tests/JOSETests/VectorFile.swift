// COLD. Where the public test vectors are, and their JSON as plain Swift values.
import Foundation
import Testing

/// A JSON value of a vector file.
struct Vector: @unchecked Sendable {
    let value: Any?

    subscript(name: String) -> Vector { Vector(value: (value as? [String: Any])?[name]) }
    var list: [Vector] { (value as? [Any] ?? []).map { Vector(value: $0) } }
    var text: String? { value as? String }
    var number: Int { (value as? NSNumber)?.intValue ?? -1 }
    var isObject: Bool { value is [String: Any] }
    /// The value as JSON text.
    var json: [UInt8] {
        guard let value, let data = try? JSONSerialization.data(withJSONObject: value) else { return [] }
        return [UInt8](data)
    }
    /// Hexadecimal text as bytes.
    var hex: [UInt8] {
        let digits = Array((text ?? "").utf8).map { $0 < 0x3a ? $0 - 0x30 : $0 - 0x57 }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}

/// The folder of public vectors: `PORTCULLIS_VECTORS`, or `shared/vectors` beside the repository.
enum VectorFile {
    static let folder: String? = {
        if let given = ProcessInfo.processInfo.environment["PORTCULLIS_VECTORS"] { return given }
        var place = URL(fileURLWithPath: #filePath)
        while place.path != "/" {
            place.deleteLastPathComponent()
            let candidate = place.appendingPathComponent("shared/vectors").path
            if FileManager.default.fileExists(atPath: candidate + "/README.md") { return candidate }
        }
        FileHandle.standardError.write(
            Data("\n!!! JOSE VECTORS NOT FOUND: set PORTCULLIS_VECTORS; these tests check NOTHING now !!!\n\n".utf8)
        )
        return nil
    }()

    static var isThere: Bool { folder != nil }

    static func read(_ path: String) throws -> Vector {
        let folder = try #require(folder)
        let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/" + path))
        return Vector(value: try JSONSerialization.jsonObject(with: data))
    }
}

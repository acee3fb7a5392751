// COLD. Configuration files: any bytes give settings or located mistakes, the same ones each time.
import Configuration
import Settings

/// Files that are all there, but for those whose name says otherwise.
private struct AnyFiles: FileAccess {
    func read(_ path: String, limit: Int) -> Result<[UInt8], FileProblem> {
        path.contains("missing")
            ? .failure(FileProblem("does not exist")) : .success([UInt8](repeating: 0x78, count: 40))
    }

    func problem(reading path: String) -> FileProblem? {
        path.contains("missing") ? FileProblem("does not exist") : nil
    }

    func problem(creating path: String) -> FileProblem? { problem(reading: path) }

    func isReadableByEverybody(_ path: String) -> Bool { path.contains("open") }
}

/// One input of the fuzzer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let text = Array(UnsafeBufferPointer(start: bytes, count: count))
    let loaded = load(text)
    check((loaded.settings == nil) == !loaded.errors.isEmpty, "neither settings nor errors, or both")
    let lines = text.count { $0 == 0x0a || $0 == 0x0d } + 2
    for diagnostic in loaded.diagnostics {
        let line = "\(diagnostic)"
        check(!line.isEmpty && line.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f }, "message")
        // U+0085, U+2028 and U+2029 end a line of YAML as well.
        check(diagnostic.location.line <= lines + text.count / 2, "line")
    }
    check(load(text).diagnostics == loaded.diagnostics, "other mistakes the second time")
    return 0
}

private func load(_ text: [UInt8]) -> Loaded {
    Configuration.load(
        bytes: text,
        fileName: "f.yaml",
        baseDirectory: "/etc",
        environment: ["SECRET": "0123456789abcdef0123456789abcdef", "EMPTY": ""],
        files: AnyFiles()
    )
}

// COLD. Lines for people on the standard error.
import Glibc

/// The standard error as a place for lines.
public enum FileHandleOutput {
    /// Writes a line to the standard error.
    public static func error(_ line: String) {
        var text = line + "\n"
        text.withUTF8 { bytes in
            var at = 0
            while at < bytes.count {
                let n = write(2, bytes.baseAddress.map { $0 + at }, bytes.count - at)
                if n <= 0 { return }
                at += n
            }
        }
    }
}

// COLD. QR codes for terminals, by libqrencode.
import CQrencode

/// QR codes for terminals.
public enum QRCode {
    private static let quietZone = 2

    /// Half blocks with a quiet zone, two rows of modules a line; nil when the text is too long for a QR code.
    ///
    /// With `colour`, dark on light by escape sequences whatever the terminal's colours are; without, light modules are
    /// drawn, which suits terminals with a dark background.
    public static func terminal(_ text: String, colour: Bool = true) -> String? {
        let bytes = Array(text.utf8)
        guard let code = QRcode_encodeData(CInt(bytes.count), bytes, 0, QR_ECLEVEL_M) else { return nil }
        defer { QRcode_free(code) }
        let width = Int(code.pointee.width)
        guard let modules = code.pointee.data, width > 0 else { return nil }
        func isDark(_ x: Int, _ y: Int) -> Bool {
            (0..<width).contains(x) && (0..<width).contains(y) && modules[y * width + x] & 1 == 1
        }
        var out = ""
        for y in stride(from: -quietZone, to: width + quietZone, by: 2) {
            if colour { out += "\u{1b}[30;107m" }
            for x in -quietZone..<width + quietZone {
                switch (isDark(x, y) == colour, isDark(x, y + 1) == colour) {
                case (true, true): out += "█"
                case (true, false): out += "▀"
                case (false, true): out += "▄"
                case (false, false): out += " "
                }
            }
            out += colour ? "\u{1b}[0m\n" : "\n"
        }
        return out
    }
}

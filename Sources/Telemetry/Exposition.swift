// COLD. Lines of Prometheus text, with names prefixed and label values escaped.
import Bytes

/// Writes families and samples.
struct Exposition {
    private let out: OutputBuffer

    init(_ out: OutputBuffer) { self.out = out }

    func family(_ name: String, _ help: String, _ kind: String) {
        out.append(string: "# HELP portcullis_\(name) \(help)\n# TYPE portcullis_\(name) \(kind)\n")
    }

    func sample(_ name: String, _ labels: [(String, String)] = [], value: UInt64) {
        sample(name, labels, number: "\(value)")
    }

    func sample(_ name: String, _ labels: [(String, String)] = [], number: String) {
        out.append("portcullis_")
        out.append(string: name)
        for (index, label) in labels.enumerated() {
            out.append(index == 0 ? "{" : ",")
            out.append(string: label.0)
            out.append("=\"")
            escape(label.1)
            out.append(byte: UInt8(ascii: "\""))
        }
        out.append(labels.isEmpty ? " " : "} ")
        out.append(string: number)
        out.append(byte: UInt8(ascii: "\n"))
    }

    private func escape(_ value: String) {
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): out.append("\\\\")
            case UInt8(ascii: "\""): out.append("\\\"")
            case UInt8(ascii: "\n"): out.append("\\n")
            default: out.append(byte: byte)
            }
        }
    }
}

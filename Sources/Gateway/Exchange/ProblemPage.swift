// HOT. Problems as pages: those of the portal where there is one, a plain one elsewhere.
import Bytes
import HTTP
import Portal

extension Exchange {
    /// Writes a problem as a page to `body`, and what goes with it to the head in `out`.
    func writePage(_ problem: Problem, fields out: OutputBuffer, to body: OutputBuffer) {
        out.append(
            "Content-Type: text/html; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: same-origin\r\n"
        )
        let kind: PreparedPages.Kind = problem.isUnsaved ? .unsaved : problem.loginURL.isEmpty ? .plain : .login
        if let pages = plan.snapshot.errorPages,
            let page = pages.page(problem.status, kind, language: note.language)
        {
            out.append("Content-Language: ")
            out.append(pages.tags[note.language])
            out.append("\r\nContent-Security-Policy: ")
            out.append(pages.policy)
            out.append("\r\n")
            return write(page, problem, pages.style, to: body)
        }
        out.append(
            "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'\r\n"
        )
        writePlainPage(problem, to: body)
    }

    private func write(_ page: PreparedPage, _ problem: Problem, _ style: [UInt8], to out: OutputBuffer) {
        for piece in page.pieces {
            out.append(piece.bytes)
            switch piece.next {
            case .end: break
            case .style: out.append(style)
            case .requestID: appendRequestID(to: out)
            case .detail: out.append(problem.detail)
            case .login: append(escaped: problem.loginURL, to: out)
            }
        }
    }

    /// An address as the value of an attribute.
    private func append(escaped text: [UInt8], to out: OutputBuffer) {
        for byte in text {
            switch byte {
            case 0x22: out.append("&quot;")
            case 0x26: out.append("&amp;")
            case 0x27: out.append("&#39;")
            case 0x3c: out.append("&lt;")
            case 0x3e: out.append("&gt;")
            default: out.append(byte: byte)
            }
        }
    }

    private func writePlainPage(_ problem: Problem, to out: OutputBuffer) {
        let reason = Status.reason(problem.status)
        out.append(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>"
        )
        out.append(reason)
        out.append(
            "</title><style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto 0;padding:0 1.5rem}h1{font-size:1.5rem}small{opacity:.75}</style></head><body><main><h1>"
        )
        out.append(decimal: UInt64(problem.status))
        out.append(" ")
        out.append(reason)
        out.append("</h1><p>")
        out.append(problem.detail)
        out.append("</p><p><small>Request ")
        appendRequestID(to: out)
        out.append("</small></p></main></body></html>\n")
    }
}

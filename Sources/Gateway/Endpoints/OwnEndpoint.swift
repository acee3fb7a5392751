// COLD. Paths of the data listener that the gateway answers itself.
import Bytes
import HTTP

/// An endpoint of the gateway's own.
enum OwnEndpoint {
    /// The public keys of the signed assertion.
    case keys

    /// Where the keys are.
    static let keysPath: StaticString = "/.well-known/portcullis/jwks.json"
}

extension Exchange {
    /// Answers a request for an endpoint of ours.
    func answer(_ endpoint: OwnEndpoint) {
        switch endpoint {
        case .keys:
            status = 200
            let body = worker.bodyScratch
            body.removeAll()
            body.append(plan.snapshot.identity.publishedKeys ?? [])
            let out = worker.compose
            out.removeAll()
            HeadWriter.appendStatusLine(200, to: out)
            out.append("Content-Type: application/jwk-set+json\r\nCache-Control: public, max-age=300\r\n")
            finishOwnAnswer(body, out)
        }
    }
}

// COLD. What pages of other, allowed origins may send (Fetch §3.2); the gateway itself says that they may read answers.

extension Portal {
    /// `OPTIONS`: what an allowed origin may send.
    func preflight(_ methods: [String], _ visit: Visit) -> PortalAnswer {
        var answer = PortalAnswer(status: 204, note: "preflight")
        answer.add("Allow", Portal.allow(methods) + ", OPTIONS")
        answer.add("Cache-Control", "no-store")
        if let origin = visit.request.single("origin"), plan.origins.contains(origin) {
            answer.add("Access-Control-Allow-Methods", methods.joined(separator: ", "))
            answer.add("Access-Control-Allow-Headers", "content-type, x-csrf-token")
            answer.add("Access-Control-Max-Age", "600")
        }
        return answer
    }
}

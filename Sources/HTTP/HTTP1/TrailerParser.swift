// HOT. The trailer section behind the last chunk.

/// Parses trailer fields (RFC 9112 §7.1.2), under the same rules as header fields.
public enum TrailerParser {
    /// Parses from `start`, where `ChunkedDecoder` said the trailers begin; `end` is the offset behind the message.
    ///
    /// Fields that may not be in trailers (RFC 9110 §6.5.1) and those with unusual names are marked `isDropped`.
    public static func parse(
        _ input: Span<UInt8>,
        from start: Int,
        into fields: FieldTable,
        limits: HeadLimits
    ) -> (outcome: ParseOutcome, end: Int) {
        fields.removeAll()
        let section = FieldSection.parse(
            input,
            from: start,
            headStart: start,
            most: limits.trailers,
            into: fields,
            limits: limits
        )
        switch section {
        case .needMore: return (.needMore, start)
        case .refuse(.headTooLarge), .refuse(.fieldTooLarge): return (.refuse(.trailersTooLarge), start)
        case .refuse(let error): return (.refuse(error), start)
        case .complete(let end):
            for i in 0..<fields.count {
                let field = fields[i]
                if field.hasUnusualName || HopByHop.isForbiddenInTrailers(field.id) { fields.drop(i) }
            }
            return (.complete, end)
        }
    }
}

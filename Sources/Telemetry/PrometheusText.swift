// COLD. The counters as Prometheus text (exposition format 0.0.4).
public import Bytes
import CLinux

func loadCounter(_ place: UnsafePointer<UInt64>) -> UInt64 { pc_load(place) }

/// A value that is known elsewhere and only shown with the counters.
public struct ExtraMetric: Sendable {
    /// The kinds of metric.
    public enum Kind: String, Sendable { case counter, gauge }
    /// Name without the prefix `portcullis_`; samples of one name must follow each other.
    public var name: String
    /// What it is.
    public var help: String
    /// Whether it only grows.
    public var kind: Kind
    /// Label names and values.
    public var labels: [(String, String)]
    /// The value.
    public var value: Double

    /// A sample.
    public init(_ name: String, _ help: String, kind: Kind = .gauge, labels: [(String, String)] = [], value: Double) {
        self.name = name
        self.help = help
        self.kind = kind
        self.labels = labels
        self.value = value
    }
}

/// Prometheus text.
public enum PrometheusText {
    /// The media type of the text.
    public static let contentType: StaticString = "text/plain; version=0.0.4; charset=utf-8"

    /// Appends the text of all counters and of `extra`.
    public static func render(_ metrics: Metrics, extra: [ExtraMetric] = [], into out: OutputBuffer) {
        guard let layout = metrics.layout else { return }
        let text = Exposition(out)
        routes(metrics, text)
        histogram(metrics, layout.total, "request_duration_seconds", "Time from request head to end of response.", text)
        histogram(metrics, layout.upstream, "upstream_duration_seconds", "Time from upstream request to its end.", text)
        auth(metrics, layout, text)
        for counter in Counter.allCases {
            text.family("\(counter.name)", "\(counter.help)", "counter")
            text.sample("\(counter.name)", value: metrics.total(counter))
        }
        for gauge in Gauge.allCases {
            text.family("\(gauge.name)", "\(gauge.help)", "gauge")
            text.sample("\(gauge.name)", number: "\(metrics.total(gauge))")
        }
        text.family("limits_hit_total", "Requests or connections that ran into a limit.", "counter")
        for limit in LimitKind.allCases {
            text.sample(
                "limits_hit_total",
                [("limit", "\(limit.name)")],
                value: metrics.sum(layout.limit + limit.rawValue)
            )
        }
        text.family("timeouts_total", "Deadlines that passed.", "counter")
        for kind in TimeoutKind.allCases {
            text.sample(
                "timeouts_total",
                [("kind", "\(kind.name)")],
                value: metrics.sum(layout.timeout + kind.rawValue)
            )
        }
        text.family("protocol_errors_total", "Messages refused because of their form.", "counter")
        for (index, code) in metrics.protocolErrors.enumerated() {
            let value = metrics.sum(layout.protocolError + index)
            if value > 0 { text.sample("protocol_errors_total", [("code", code)], value: value) }
        }
        upstreams(metrics, text)
        reloads(metrics, text)
        additional(extra, text)
    }

    private static func routes(_ metrics: Metrics, _ text: Exposition) {
        let names = metrics.routeNames
        var sums = [UInt64](repeating: 0, count: WorkerMetrics.routeWords)
        var rows: [(name: String, count: UInt64, microseconds: UInt64, bytesIn: UInt64, bytesOut: UInt64)] = []
        text.family("requests_total", "Requests by route and status code.", "counter")
        for (slot, name) in names.enumerated() where metrics.collect(\.routes, slot: slot, into: &sums) {
            var count: UInt64 = 0
            for code in 0..<StatusSlots.count where sums[code] != 0 {
                count &+= sums[code]
                let labels = [("route", name), ("code", StatusSlots.labels[code])]
                text.sample("requests_total", labels, value: sums[code])
            }
            rows.append(
                (
                    name, count, sums[WorkerMetrics.routeMicroseconds], sums[WorkerMetrics.routeBytesIn],
                    sums[WorkerMetrics.routeBytesOut]
                )
            )
        }
        text.family("route_duration_seconds", "Time from request head to end of response, by route.", "summary")
        for row in rows {
            text.sample("route_duration_seconds_sum", [("route", row.name)], number: seconds(row.microseconds))
            text.sample("route_duration_seconds_count", [("route", row.name)], value: row.count)
        }
        text.family("route_received_bytes_total", "Bytes received from clients, by route.", "counter")
        for row in rows { text.sample("route_received_bytes_total", [("route", row.name)], value: row.bytesIn) }
        text.family("route_sent_bytes_total", "Bytes sent to clients, by route.", "counter")
        for row in rows { text.sample("route_sent_bytes_total", [("route", row.name)], value: row.bytesOut) }
    }

    private static func histogram(_ metrics: Metrics, _ at: Int, _ name: String, _ help: String, _ text: Exposition) {
        text.family(name, help, "histogram")
        var count: UInt64 = 0
        for bucket in 0..<Histogram.buckets {
            count &+= metrics.sum(at + bucket)
            let bound = Histogram.bound(bucket).map(seconds) ?? "+Inf"
            text.sample("\(name)_bucket", [("le", bound)], value: count)
        }
        text.sample("\(name)_sum", number: seconds(metrics.sum(at + Histogram.buckets)))
        text.sample("\(name)_count", value: count)
    }

    private static func auth(_ metrics: Metrics, _ layout: WorkerMetrics.Layout, _ text: Exposition) {
        text.family("auth_total", "Decisions of the gate by outcome and reason.", "counter")
        for outcome in AuthOutcome.allCases {
            for reason in -1..<metrics.reasons.count {
                let value = metrics.sum(layout.auth + outcome.rawValue * (metrics.reasons.count + 1) + reason + 1)
                guard value > 0 || reason < 0 else { continue }
                let code = reason < 0 ? "none" : metrics.reasons[reason]
                text.sample("auth_total", [("outcome", "\(outcome.name)"), ("reason", code)], value: value)
            }
        }
    }

    private static func upstreams(_ metrics: Metrics, _ text: Exposition) {
        var sums = [UInt64](repeating: 0, count: UpstreamEvent.allCases.count)
        var rows: [(String, [UInt64])] = []
        for (slot, name) in metrics.upstreamNames.enumerated() {
            let any = metrics.collect(\.upstreams, slot: slot, into: &sums)
            if any || slot > 0 { rows.append((name, sums)) }
        }
        for event in UpstreamEvent.allCases {
            text.family("\(event.name)", "\(event.help)", "counter")
            for (name, counts) in rows {
                text.sample("\(event.name)", [("upstream", name)], value: counts[event.rawValue])
            }
        }
    }

    private static func reloads(_ metrics: Metrics, _ text: Exposition) {
        let reloads = metrics.reloads
        text.family("reloads_total", "Configuration reloads by result.", "counter")
        text.sample("reloads_total", [("result", "applied")], value: reloads.applied)
        text.sample("reloads_total", [("result", "failed")], value: reloads.failed)
        text.family("last_reload_timestamp_seconds", "When a configuration was last applied.", "gauge")
        text.sample("last_reload_timestamp_seconds", number: "\(reloads.seconds)")
    }

    private static func additional(_ extra: [ExtraMetric], _ text: Exposition) {
        var last = ""
        for metric in extra {
            if metric.name != last { text.family(metric.name, metric.help, metric.kind.rawValue) }
            last = metric.name
            text.sample(metric.name, metric.labels, number: number(metric.value))
        }
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }

    /// Microseconds as seconds, exactly.
    static func seconds(_ microseconds: UInt64) -> String {
        var fraction = String(microseconds % 1_000_000 + 1_000_000).dropFirst()
        while fraction.last == "0" { fraction.removeLast() }
        return fraction.isEmpty ? "\(microseconds / 1_000_000)" : "\(microseconds / 1_000_000).\(fraction)"
    }
}

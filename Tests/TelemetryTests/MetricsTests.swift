// COLD. Counters, their slots, and the Prometheus text made of them.
import Bytes
import Foundation
import Testing

@testable import Telemetry

/// The exposition of `metrics` as lines.
private func lines(_ metrics: Metrics, extra: [ExtraMetric] = []) -> [String] {
    let out = OutputBuffer(capacity: 64)
    PrometheusText.render(metrics, extra: extra, into: out)
    return String(decoding: out.bytes, as: UTF8.self).split(separator: "\n").map(String.init)
}

@Suite("Metrics")
struct MetricsTests {
    let metrics = Metrics(workers: 2, reasons: ["token_expired", "unknown_key"], protocolErrors: ["bare_cr"])

    @Test("counters of all workers are summed")
    func sums() {
        metrics.worker(0).add(.tokenCacheHits)
        metrics.worker(1).add(.tokenCacheHits, 41)
        #expect(metrics.total(.tokenCacheHits) == 42)
        #expect(lines(metrics).contains("portcullis_token_cache_hits_total 42"))
    }

    @Test("a gauge goes down as well as up, also when one worker opens and another closes")
    func gauges() {
        metrics.worker(0).adjust(.connectionsOpen, by: 3)
        metrics.worker(1).adjust(.connectionsOpen, by: -1)
        #expect(metrics.total(.connectionsOpen) == 2)
        #expect(lines(metrics).contains("portcullis_connections_open 2"))
        metrics.worker(1).set(.upstreamConnectionsIdle, to: 7)
        #expect(metrics.total(.upstreamConnectionsIdle) == 7)
    }

    @Test("requests are counted by route and code, in every worker")
    func requests() {
        let slots = metrics.routeSlots(["api", "a\"b\\c"])
        #expect(slots == [1, 2])
        for worker in 0..<2 {
            metrics.worker(worker).finished(
                route: slots[0],
                status: 200,
                microseconds: 1500,
                upstreamMicroseconds: 1000,
                bytesIn: 10,
                bytesOut: 20
            )
        }
        metrics.worker(0).finished(
            route: slots[1],
            status: 404,
            microseconds: 10,
            upstreamMicroseconds: -1,
            bytesIn: 1,
            bytesOut: 2
        )
        let text = lines(metrics)
        #expect(text.contains(#"portcullis_requests_total{route="api",code="200"} 2"#))
        #expect(text.contains(#"portcullis_requests_total{route="a\"b\\c",code="404"} 1"#))
        #expect(text.contains(#"portcullis_route_duration_seconds_sum{route="api"} 0.003"#))
        #expect(text.contains(#"portcullis_route_duration_seconds_count{route="api"} 2"#))
        #expect(text.contains(#"portcullis_route_received_bytes_total{route="api"} 20"#))
        #expect(text.contains(#"portcullis_route_sent_bytes_total{route="api"} 40"#))
        #expect(text.contains("portcullis_request_duration_seconds_count 3"))
        #expect(text.contains("portcullis_upstream_duration_seconds_count 2"))
        #expect(!text.contains { $0.contains("(none)") })
    }

    @Test("a route keeps its slot over reloads, also when others come and go")
    func slots() {
        #expect(metrics.routeSlots(["a", "b"]) == [1, 2])
        #expect(metrics.routeSlots(["c", "b"]) == [3, 2])
        #expect(metrics.routeSlots(["a"]) == [1])
        #expect(metrics.upstreamSlots(["a"]) == [1])
    }

    @Test("ten thousand routes each have counters of their own")
    func manyRoutes() {
        let slots = metrics.routeSlots((0..<10_000).map { "route-\($0)" })
        for slot in slots {
            metrics.worker(slot % 2).finished(
                route: slot,
                status: 200,
                microseconds: 1,
                upstreamMicroseconds: -1,
                bytesIn: 0,
                bytesOut: 0
            )
        }
        let rows = lines(metrics).filter { $0.hasPrefix("portcullis_requests_total{") }
        #expect(rows.count == 10_000)
        #expect(rows.allSatisfy { $0.hasSuffix(" 1") })
    }

    @Test("a slot out of range is counted as no route")
    func outOfRange() {
        for slot in [-1, LabelledBlocks.capacity, Int.max] {
            metrics.worker(0).finished(
                route: slot,
                status: 500,
                microseconds: 0,
                upstreamMicroseconds: -1,
                bytesIn: 0,
                bytesOut: 0
            )
        }
        #expect(lines(metrics).contains(#"portcullis_requests_total{route="(none)",code="500"} 3"#))
    }

    @Test(
        "status codes without a slot are counted by class, impossible ones as invalid",
        arguments: [
            (200, "200"), (299, "2xx"), (418, "418"), (499, "499"), (599, "5xx"), (199, "1xx"), (0, "invalid"),
            (99, "invalid"), (600, "invalid"), (-1, "invalid"), (Int.max, "invalid"),
        ]
    )
    func statusSlots(status: Int, label: String) {
        metrics.worker(0).finished(
            route: 0,
            status: status,
            microseconds: 0,
            upstreamMicroseconds: -1,
            bytesIn: 0,
            bytesOut: 0
        )
        #expect(lines(metrics).contains("portcullis_requests_total{route=\"(none)\",code=\"\(label)\"} 1"))
    }

    @Test("there are exactly as many labels as slots, all different")
    func statusLabels() {
        #expect(StatusSlots.labels.count == StatusSlots.count)
        #expect(Set(StatusSlots.labels).count == StatusSlots.count)
    }

    @Test("outcomes of the gate are counted by reason; an unknown reason breaks an invariant, not the process")
    func auth() {
        let worker = metrics.worker(0)
        worker.auth(.accepted)
        worker.auth(.rejected, reason: 1)
        worker.auth(.rejected, reason: 1)
        worker.auth(.reportOnly, reason: 0)
        worker.auth(.denied, reason: 2)
        let text = lines(metrics)
        #expect(text.contains(#"portcullis_auth_total{outcome="accepted",reason="none"} 1"#))
        #expect(text.contains(#"portcullis_auth_total{outcome="rejected",reason="unknown_key"} 2"#))
        #expect(text.contains(#"portcullis_auth_total{outcome="report_only",reason="token_expired"} 1"#))
        #expect(text.contains(#"portcullis_auth_total{outcome="denied",reason="none"} 0"#))
        #expect(metrics.total(.invariantBroken) == 1)
    }

    @Test("limits, timeouts, refused messages and upstream events have a line each")
    func kinds() {
        let worker = metrics.worker(1)
        for limit in LimitKind.allCases { worker.hit(limit) }
        for kind in TimeoutKind.allCases { worker.timedOut(kind) }
        worker.refused(protocolError: 0)
        worker.refused(protocolError: 1)
        let slot = metrics.upstreamSlots(["orders"])[0]
        for event in UpstreamEvent.allCases { worker.upstream(slot, event) }
        let text = lines(metrics)
        for limit in LimitKind.allCases {
            #expect(text.contains("portcullis_limits_hit_total{limit=\"\(limit.name)\"} 1"))
        }
        for kind in TimeoutKind.allCases {
            #expect(text.contains("portcullis_timeouts_total{kind=\"\(kind.name)\"} 1"))
        }
        for event in UpstreamEvent.allCases {
            #expect(text.contains("portcullis_\(event.name){upstream=\"orders\"} 1"))
        }
        #expect(text.contains(#"portcullis_protocol_errors_total{code="bare_cr"} 1"#))
        #expect(metrics.total(.invariantBroken) == 1)
    }

    @Test("reloads are counted by result")
    func reloads() {
        metrics.reloaded(applied: true, unixSeconds: 1_800_000_000)
        metrics.reloaded(applied: false, unixSeconds: 1_800_000_001)
        let text = lines(metrics)
        #expect(text.contains(#"portcullis_reloads_total{result="applied"} 1"#))
        #expect(text.contains(#"portcullis_reloads_total{result="failed"} 1"#))
        #expect(text.contains("portcullis_last_reload_timestamp_seconds 1800000000"))
    }

    @Test("every family is declared once, before its samples, and nothing is without a family")
    func families() {
        let slot = metrics.routeSlots(["x"])[0]
        metrics.worker(0).finished(
            route: slot,
            status: 200,
            microseconds: 1,
            upstreamMicroseconds: 1,
            bytesIn: 1,
            bytesOut: 1
        )
        let extra = [
            ExtraMetric("upstream_server_up", "Up.", labels: [("server", "a")], value: 1),
            ExtraMetric("upstream_server_up", "Up.", labels: [("server", "b")], value: 0),
            ExtraMetric("build_info", "Build.", labels: [("version", "1")], value: 1),
        ]
        var declared: Set<String> = []
        var current = ""
        for line in lines(metrics, extra: extra) {
            if line.hasPrefix("# TYPE ") {
                current = String(line.split(separator: " ")[2])
                #expect(declared.insert(current).inserted)
            } else if !line.hasPrefix("#") {
                #expect(line.hasPrefix(current))
            }
        }
        #expect(declared.contains("portcullis_build_info"))
    }

    @Test("values are read while a worker counts")
    func concurrentReading() throws {
        // Two threads without any lock: the reader must see counts that only grow.
        let finished = DispatchSemaphore(value: 0)
        let metrics = metrics
        let slots = metrics.routeSlots((0..<200).map { "r\($0)" })
        Thread.detachNewThread {
            let worker = metrics.worker(0)
            for index in 0..<20_000 {
                worker.finished(
                    route: slots[index % 200],
                    status: 200,
                    microseconds: 5,
                    upstreamMicroseconds: -1,
                    bytesIn: 0,
                    bytesOut: 0
                )
            }
            finished.signal()
        }
        var last = 0
        while finished.wait(timeout: .now()) == .timedOut {
            let row = lines(metrics).first { $0.hasPrefix("portcullis_request_duration_seconds_count") }
            let count = try #require(row.flatMap { $0.split(separator: " ").last }.flatMap { Int($0) })
            #expect(count >= last)
            last = count
        }
    }
}

@Suite("Histogram")
struct HistogramTests {
    @Test(
        "a duration is in the first bucket whose bound is not below it",
        arguments: [0, 1, 63, 64, 65, 128, 129, 1000, 1024, 1025, 1 << 26, (1 << 26) + 1, UInt64.max] as [UInt64]
    )
    func bucket(microseconds: UInt64) {
        let expected = (0..<Histogram.buckets).first { (Histogram.bound($0) ?? .max) >= microseconds }
        #expect(Histogram.bucket(microseconds) == expected)
    }

    @Test("seconds are exact", arguments: [(0, "0"), (1, "0.000001"), (64, "0.000064"), (1_500_000, "1.5")])
    func seconds(microseconds: UInt64, text: String) {
        #expect(PrometheusText.seconds(microseconds) == text)
    }
}

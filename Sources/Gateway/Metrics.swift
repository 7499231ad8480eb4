import Synchronization

/// Counts and distributions, in the text that Prometheus reads (exposition format 0.0.4).
///
/// Names of people and episodes never become labels. A label set beyond `seriesMax` of its metric is
/// counted under `other`, since callers choose some of the names.
final class Metrics: Sendable {
    private static let seriesMax = 200

    /// Bounds of histograms, in seconds.
    enum Bounds {
        static let overhead = [
            0.0001, 0.0002, 0.0003, 0.0004, 0.0005, 0.00075, 0.001, 0.0025, 0.005, 0.01, 0.1, 1,
        ]
        static let latency = [
            0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
        ]
        static let firstToken = [
            0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
        ]
        static let lag = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
    }

    private struct Histogram {
        let bounds: [Double]
        var counts: [Int]
        var sum = 0.0
        var count = 0

        init(_ bounds: [Double]) {
            self.bounds = bounds
            counts = Array(repeating: 0, count: bounds.count)
        }

        mutating func take(_ value: Double) {
            if let index = bounds.firstIndex(where: { value <= $0 }) { counts[index] += 1 }
            sum += value
            count += 1
        }
    }

    private struct Family {
        var help: String
        var type: String
        var values: [String: Double] = [:]
        var histograms: [String: Histogram] = [:]
    }

    private let families = Mutex<[String: Family]>([:])

    typealias Labels = KeyValuePairs<String, String>

    /// Adds to a counter.
    func add(_ name: String, _ amount: Double = 1, _ labels: Labels = [:], help: String) {
        families.withLock { families in
            var family = families[name] ?? Family(help: help, type: "counter")
            families[name] = nil
            let key = Self.key(labels, known: family.values.count) { family.values[$0] != nil }
            family.values[key, default: 0] += amount
            families[name] = family
        }
    }

    private let inFlight = Mutex(0)

    /// A call began.
    func inFlightBegan() { inFlightChanged(1) }
    /// A call was answered, or given up.
    func inFlightEnded() { inFlightChanged(-1) }

    private func inFlightChanged(_ change: Int) {
        let count = inFlight.withLock { count in
            count += change
            return count
        }
        set("flywheel_requests_in_flight", Double(count), help: "Calls that are being answered.")
    }

    /// Sets what is now.
    func set(_ name: String, _ value: Double, _ labels: Labels = [:], help: String) {
        families.withLock { families in
            var family = families[name] ?? Family(help: help, type: "gauge")
            let key = Self.key(labels, known: family.values.count) { family.values[$0] != nil }
            family.values[key] = value
            families[name] = family
        }
    }

    /// Adds `value`, in seconds, to a distribution.
    func observe(
        _ name: String, _ value: Double, _ bounds: [Double], _ labels: Labels = [:], help: String
    ) {
        families.withLock { families in
            var family = families[name] ?? Family(help: help, type: "histogram")
            families[name] = nil
            let key = Self.key(labels, known: family.histograms.count) {
                family.histograms[$0] != nil
            }
            family.histograms[key, default: Histogram(bounds)].take(value)
            families[name] = family
        }
    }

    /// The value of a counter or gauge; 0 where it was never named.
    func value(_ name: String, _ labels: Labels = [:]) -> Double {
        families.withLock { $0[name]?.values[Self.text(labels)] ?? 0 }
    }

    /// All of it, as a scraper reads it.
    var text: String {
        families.withLock { families in
            families.sorted { $0.key < $1.key }.map { name, family in
                let lines =
                    family.type == "histogram"
                    ? family.histograms.sorted { $0.key < $1.key }.flatMap {
                        Self.lines(name, $0.key, $0.value)
                    }
                    : family.values.sorted { $0.key < $1.key }.map { key, value in
                        name + (key.isEmpty ? "" : "{\(key)}") + " \(Self.number(value))"
                    }
                return "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.type)\n"
                    + lines.joined(separator: "\n") + "\n"
            }.joined()
        }
    }

    private static func lines(_ name: String, _ key: String, _ histogram: Histogram) -> [String] {
        let labels = key.isEmpty ? "" : key + ","
        var running = 0
        var lines = zip(histogram.bounds, histogram.counts).map { bound, count in
            running += count
            return "\(name)_bucket{\(labels)le=\"\(number(bound))\"} \(running)"
        }
        let suffix = key.isEmpty ? "" : "{\(key)}"
        lines.append("\(name)_bucket{\(labels)le=\"+Inf\"} \(histogram.count)")
        lines.append("\(name)_sum\(suffix) \(histogram.sum)")
        lines.append("\(name)_count\(suffix) \(histogram.count)")
        return lines
    }

    private static func number(_ value: Double) -> String {
        Int64(exactly: value).map { "\($0)" } ?? "\(value)"
    }

    private static func key(
        _ labels: Labels, known: Int, isKnown: (String) -> Bool
    ) -> String {
        let key = text(labels)
        guard known >= seriesMax, !isKnown(key) else { return key }
        return labels.map { "\($0.key)=\"other\"" }.joined(separator: ",")
    }

    private static func text(_ labels: Labels) -> String {
        labels.map { name, value in
            let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
                .replacing("\n", with: "\\n")
            return "\(name)=\"\(escaped)\""
        }.joined(separator: ",")
    }
}

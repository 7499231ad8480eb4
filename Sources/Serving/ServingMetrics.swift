import Synchronization

/// What a server counts, under vLLM's names with our prefix, as Prometheus reads it (exposition
/// format 0.0.4).
final class ServingMetrics: Sendable {
    /// A distribution; values in seconds or tokens.
    private struct Histogram {
        let help: String
        let bounds: [Double]
        var counts: [Int]
        var sum = 0.0
        var count = 0

        init(_ help: String, _ bounds: [Double]) {
            self.help = help
            self.bounds = bounds
            counts = Array(repeating: 0, count: bounds.count)
        }

        mutating func take(_ value: Double) {
            if let index = bounds.firstIndex(where: { value <= $0 }) { counts[index] += 1 }
            sum += value
            count += 1
        }
    }

    /// Bounds of the GenAI conventions of OpenTelemetry; finer where small models live.
    private enum Bounds {
        static let firstToken = [
            0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
        ]
        static let token = [
            0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
        ]
        static let request = [
            0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
        ]
        static let tokens = [1.0, 4, 16, 64, 256, 1024, 4096, 16384, 65536]
    }

    private struct State {
        var promptTokens = 0
        var generationTokens = 0
        var finished: [String: Int] = ["stop": 0, "length": 0, "abort": 0]
        var firstToken = Histogram("From the call to its first token.", Bounds.firstToken)
        var token = Histogram("From one token of an answer to the next.", Bounds.token)
        var request = Histogram("From the call to the end of its answers.", Bounds.request)
        var queue = Histogram("From the call until a slot took it.", Bounds.request)
        var inference = Histogram("From when a slot took it to its end.", Bounds.request)
        var requestPrompt = Histogram("Prompt tokens of a request.", Bounds.tokens)
        var requestGeneration = Histogram("Tokens generated for a request.", Bounds.tokens)
    }

    private let labels: String
    private let state = Mutex(State())

    init(model: String) {
        let name = model.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            .replacing("\n", with: "\\n")
        labels = "model_name=\"\(name)\""
    }

    func began(promptTokens: Int, waited: Duration) {
        state.withLock {
            $0.promptTokens += promptTokens
            $0.requestPrompt.take(Double(promptTokens))
            $0.queue.take(waited.seconds)
        }
    }

    func firstToken(after wait: Duration) {
        state.withLock {
            $0.generationTokens += 1
            $0.firstToken.take(wait.seconds)
        }
    }

    func token(after wait: Duration) {
        state.withLock {
            $0.generationTokens += 1
            $0.token.take(wait.seconds)
        }
    }

    /// An answer ended, as its `finish_reason` says.
    func finished(_ reason: String) { state.withLock { $0.finished[reason, default: 0] += 1 } }

    /// A request whose caller went away.
    func cancelled() { finished("abort") }

    func ended(tokens: Int, asked: Duration, began: Duration) {
        state.withLock {
            $0.requestGeneration.take(Double(tokens))
            $0.request.take(asked.seconds)
            $0.inference.take(began.seconds)
        }
    }

    /// All of it, with how many requests are being answered and wait.
    func text(running: Int, waiting: Int) -> String {
        let state = state.withLock(\.self)
        var text = ""
        func add(_ name: String, _ type: String, _ help: String, _ lines: [(String, String)]) {
            text += "# HELP flywheel_\(name) \(help)\n# TYPE flywheel_\(name) \(type)\n"
            for (suffix, value) in lines { text += "flywheel_\(name)\(suffix) \(value)\n" }
        }
        func number(
            _ name: String, _ type: String, _ help: String, _ value: Int
        ) { add(name, type, help, [("{\(labels)}", "\(value)")]) }
        number("num_requests_running", "gauge", "Requests that slots answer.", running)
        number("num_requests_waiting", "gauge", "Requests that wait for a slot.", waiting)
        number("prompt_tokens_total", "counter", "Prompt tokens read.", state.promptTokens)
        number("generation_tokens_total", "counter", "Tokens chosen.", state.generationTokens)
        add(
            "request_success_total", "counter", "Answers that ended, by reason.",
            state.finished.sorted { $0.key < $1.key }.map {
                ("{\(labels),finished_reason=\"\($0.key)\"}", "\($0.value)")
            })
        for (name, it) in [
            ("time_to_first_token_seconds", state.firstToken),
            ("inter_token_latency_seconds", state.token),
            ("e2e_request_latency_seconds", state.request),
            ("request_queue_time_seconds", state.queue),
            ("request_inference_time_seconds", state.inference),
            ("request_prompt_tokens", state.requestPrompt),
            ("request_generation_tokens", state.requestGeneration),
        ] {
            var below = 0
            var lines = zip(it.bounds, it.counts).map { bound, count in
                below += count
                return ("_bucket{\(labels),le=\"\(bound)\"}", "\(below)")
            }
            lines.append(("_bucket{\(labels),le=\"+Inf\"}", "\(it.count)"))
            lines.append(("_sum{\(labels)}", "\(it.sum)"))
            lines.append(("_count{\(labels)}", "\(it.count)"))
            add(name, "histogram", it.help, lines)
        }
        return text
    }
}

extension Duration {
    fileprivate var seconds: Double { self / .seconds(1) }
}

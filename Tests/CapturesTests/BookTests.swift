import Captures
import FlywheelCore
import Foundation
import Testing

@Suite struct Books {
    static let file = """
        upstreams:
          frontier: {url: "https://api.openai.com/v1/", dialect: openai, key: OPENAI_API_KEY, models: [gpt-5, gpt-5-mini], terms: "no training of competing models"}
          local: {url: "http://127.0.0.1:8000/v1"}
          gone: null
        prices:
          gpt-5: {from: 2026-01-01, input: 1.25, cachedInput: 0.125, output: 10.00}
          gpt-5-mini:
            - {from: 2026-01-01, input: 0.25, output: 2}
            - {from: 2026-06-01, input: 0.2, output: 1.6}
          slotHour: 0.05
        """

    @Test func `a book is read, with money as it was written`() throws {
        let book = try UpstreamBook(yaml: Self.file, file: "book.yaml")
        #expect(
            book.upstreams["frontier"]
                == .some(
                    Upstream(
                        name: "frontier", url: "https://api.openai.com/v1", key: "OPENAI_API_KEY",
                        models: ["gpt-5", "gpt-5-mini"], terms: "no training of competing models")))
        #expect(book.upstreams["gone"] == .some(nil) && book.upstreams.count == 3)
        #expect(book.prices.map(\.fromDay) == ["2026-01-01", "2026-01-01", "2026-06-01"])
        #expect(book.prices[0].cachedInput == Decimal(string: "0.125"))
        #expect(book.slotHour == Decimal(string: "0.05"))
    }

    @Test(arguments: [
        ("upstreams: {a: {url: example.com}}", "upstreams.a.url: `example.com` is not the address"),
        (
            "upstreams: {a: {url: 'https://x/v1', key: sk-abc123}}",
            "upstreams.a.key: expected the name of an environment variable"
        ),
        (
            "upstreams: {a: {url: 'https://me:secret@x/v1'}}",
            "upstreams.a.url: the address holds a secret"
        ),
        ("upstreams: {a: {url: 'https://x/v1', modles: [b]}}", "Did you mean `models`?"),
        (
            "upstreams: {flywheel: {url: 'https://x/v1'}}",
            "upstreams.flywheel: `flywheel` means the models of the registry"
        ),
        (
            "prices: {m: {from: yesterday, input: 1, output: 1}}",
            "prices.m.from: `yesterday` is not a day"
        ),
        (
            "prices: {m: {from: 2026-01-01, input: -1, output: 1}}",
            "prices.m.input: -1.0 is out of range"
        ),
        ("prices: {m: {from: 2026-01-01, input: 1}}", "prices.m.output: `output` is missing"),
        ("upstream: {}", "Did you mean `upstreams`?"),
    ])
    func `a mistake in a book is named with its place, and never a secret`(
        text: String, expected: String
    ) {
        let error = #expect(throws: InputError.self) {
            try UpstreamBook(yaml: text, file: "book.yaml")
        }
        #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
        #expect(error?.description.hasPrefix("book.yaml:1: ") == true)
        #expect(
            error?.description.contains("sk-abc123") == false
                && error?.description.contains(":secret@") == false)
    }

    @Test func `a call costs what the book said on its day`() throws {
        let book = try UpstreamBook(yaml: Self.file, file: nil)
        let usage = Usage(promptTokens: 1_000, completionTokens: 100, cachedTokens: 400)
        func cost(_ model: String, _ day: String) -> Decimal? {
            book.prices.price(of: model, on: day)?.cost(of: usage)
        }
        // 600 × 1.25 + 400 × 0.125 + 100 × 10, in millionths.
        #expect(cost("gpt-5", "2026-03-01") == Decimal(string: "0.0018"))
        #expect(cost("gpt-5-mini", "2026-05-31") == Decimal(string: "0.00045"))
        #expect(cost("gpt-5-mini", "2026-06-01") == Decimal(string: "0.00036"))
        #expect(cost("gpt-5", "2025-12-31") == nil && cost("other", "2026-03-01") == nil)
        #expect(book.prices[0].cost(of: Usage(promptTokens: 3)) == nil)
    }

    @Test
    func `a model is a model of an upstream, or named after one, or whatever one makes of it`()
        throws
    {
        let frontier = Upstream(
            name: "frontier", url: "https://a", models: ["gpt-5", "gpt-5-mini"])
        let any = Upstream(name: "router", url: "https://b")
        var state = GatewayState(upstreams: [frontier], models: ["support@1"])
        #expect(try state.resolve("gpt-5") == Destination(upstream: frontier, model: "gpt-5"))
        #expect(
            try state.resolve("frontier/gpt-5") == Destination(upstream: frontier, model: "gpt-5"))
        #expect(try state.resolve("support@1") == .own("support@1"))
        state.models += ["support@2", "support@10", "gpt-5-mini@1"]
        #expect(try state.resolve("support") == .own("support@10"))
        #expect(
            try state.resolve("support", promoted: ["support": "support@2"]).model == "support@2")
        #expect(try state.resolve("gpt-5-mini") == .own("gpt-5-mini@1"))
        #expect(try state.resolve("flywheel/support@1") == .own("support@1"))
        #expect(try state.resolve("flywheel/support") == .own("support@10"))
        #expect(throws: UnknownModel.self) { try state.resolve("support@3") }
        let server = Upstream(name: "a-server", url: "https://c", models: ["support@2"])
        state.upstreams.append(server)
        #expect(try state.resolve("support@2") == Destination(upstream: server, model: "support@2"))
        state.models = []
        let error = #expect(throws: UnknownModel.self) { try state.resolve("gpt-6") }
        #expect(error == .unknown(nearest: ["gpt-5"]))
        state.upstreams.append(any)
        #expect(
            try state.resolve("vendor/model") == Destination(upstream: any, model: "vendor/model"))
        #expect(try state.resolve("router/vendor/model").model == "vendor/model")
    }

    @Test func `a person's hash is HMAC-SHA256 under the key`() {
        // RFC 4231, test case 2, has the key "Jefe".
        let state = GatewayState(endUserKey: "4a656665")
        #expect(state.endUser("what do ya want for nothing?") == "5bdcc146bf60754e6a042426089575c7")
    }
}

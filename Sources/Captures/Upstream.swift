public import FlywheelCore
public import Foundation

/// Something that speaks chat completions: a vendor, a server of the team, an engine of ours.
public struct Upstream: Codable, Sendable, Equatable {
    public var name: String
    /// Up to and without `/chat/completions`: `https://api.openai.com/v1`.
    public var url: String
    /// How it speaks; one so far.
    public var dialect: String
    /// The environment variable that holds its secret; nil where it asks for none.
    public var key: String?
    /// The models that it is asked for; empty: any that nothing else answers to.
    public var models: [String]
    /// What its vendor allows, in a person's words; kept with what it teaches.
    public var terms: String?

    /// In the place of a variable: the caller's own `Authorization` is passed on.
    public static let callersKey = "caller"

    public init(
        name: String, url: String, dialect: String = "openai", key: String? = nil,
        models: [String] = [], terms: String? = nil
    ) {
        self.name = name
        self.url = url
        self.dialect = dialect
        self.key = key
        self.models = models
        self.terms = terms
    }
}

/// What a model costs from a day on, in money per million tokens.
public struct Price: Codable, Sendable, Equatable {
    public var model: String
    /// `2026-01-01`, in UTC: such days are in order as texts.
    public var fromDay: String
    public var input: Decimal
    /// Of tokens that the upstream had cached; as `input` where it is not said.
    public var cachedInput: Decimal?
    public var output: Decimal

    public init(
        model: String, fromDay: String, input: Decimal, cachedInput: Decimal? = nil, output: Decimal
    ) {
        self.model = model
        self.fromDay = fromDay
        self.input = input
        self.cachedInput = cachedInput
        self.output = output
    }

    enum CodingKeys: String, CodingKey {
        case model, input, output
        case fromDay = "from_day"
        case cachedInput = "cached_input"
    }

    /// What `usage` costs; nil where the upstream did not count.
    public func cost(of usage: Usage) -> Decimal? {
        guard let prompt = usage.promptTokens, let completion = usage.completionTokens else {
            return nil
        }
        let cached = min(usage.cachedTokens ?? 0, prompt)
        let sum =
            Decimal(prompt - cached) * input + Decimal(cached) * (cachedInput ?? input)
            + Decimal(completion) * output
        return sum / 1_000_000
    }
}

extension [Price] {
    /// The price of `model` that counts on `day`.
    public func price(of model: String, on day: String) -> Price? {
        filter { $0.model == model && $0.fromDay <= day }.max { $0.fromDay < $1.fromDay }
    }
}

/// A file of upstreams and prices, as somebody wrote it.
public struct UpstreamBook: Sendable, Equatable {
    /// Nil takes an upstream out.
    public var upstreams: [String: Upstream?] = [:]
    public var prices: [Price] = []
    public var slotHour: Decimal?

    /// What `flywheel.apply_upstreams` takes.
    public var json: JSONValue {
        var book: [String: JSONValue] = [
            "upstreams": .object(
                upstreams.mapValues { upstream in
                    guard let upstream else { return .null }
                    var spec: [String: JSONValue] = [
                        "url": .string(upstream.url), "dialect": .string(upstream.dialect),
                        "models": .array(upstream.models.map { .string($0) }),
                    ]
                    spec["key"] = upstream.key.map { .string($0) }
                    spec["terms"] = upstream.terms.map { .string($0) }
                    return .object(spec)
                }),
            "prices": .array(
                prices.map { price in
                    // Money as text: a binary fraction is not what somebody wrote.
                    .object([
                        "model": .string(price.model), "from_day": .string(price.fromDay),
                        "input": .string("\(price.input)"),
                        "cached_input": price.cachedInput.map { .string("\($0)") } ?? .null,
                        "output": .string("\(price.output)"),
                    ])
                }),
        ]
        book["slot_hour"] = slotHour.map { .string("\($0)") }
        return .object(book)
    }
}

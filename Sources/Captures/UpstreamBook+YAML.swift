public import FlywheelCore
import Foundation
import Jobs

extension UpstreamBook {
    /// Reads `upstreams` and `prices` of a YAML file; throws for the first mistake, with its place.
    public init(yaml: String, file: String?) throws(InputError) {
        let documents = try SpecificationField.documents(yaml: yaml, file: file)
        guard documents.count == 1 else {
            throw InputError(
                file: file, "\(documents.count) documents where one should be",
                remedy: "Nothing was applied; write `upstreams:` and `prices:` into one.")
        }
        let fields = try documents[0].object("upstreams", "prices")
        if let listed = fields["upstreams"] {
            for (name, field) in try listed.entries(max: 1_000) {
                guard SpecificationName.isValid(name) else {
                    throw field.error("`\(name)` is not a name", remedy: SpecificationName.rule)
                }
                guard name != UpstreamModel.ownUpstream else {
                    throw field.error(
                        "`\(name)` means the models of the registry, which need no entry",
                        remedy: "Call the upstream something else.")
                }
                upstreams[name] = .some(field.isNull ? nil : try Self.upstream(name, field))
            }
        }
        guard let listed = fields["prices"] else { return }
        for (model, field) in try listed.entries(max: 10_000) {
            if model == "slotHour" {
                slotHour = try Self.money(field)
            } else if case let several? = try? field.list(max: 1_000, { $0 }) {
                for field in several { prices.append(try Self.price(of: model, field)) }
            } else {
                prices.append(try Self.price(of: model, field))
            }
        }
    }

    private static func upstream(
        _ name: String, _ field: SpecificationField
    ) throws(InputError) -> Upstream {
        let fields = try field.object("url", "dialect", "key", "models", "terms")
        enum Dialect: String, CaseIterable { case openai }
        let url = try fields.required("url")
        let address = try url.text()
        guard let parts = URL(string: address), ["http", "https"].contains(parts.scheme),
            parts.host() != nil, parts.query() == nil
        else {
            throw url.error(
                "`\(address.prefix(200))` is not the address of a server",
                remedy: "For example: https://api.openai.com/v1")
        }
        guard parts.user() == nil, parts.password() == nil else {
            throw url.error(
                "the address holds a secret",
                remedy: "Put it into an environment variable, and name that one in `key`.")
        }
        var key: String?
        if let field = fields["key"] {
            let name = try field.text()
            guard name == Upstream.callersKey || name.contains(#/^[A-Z_][A-Z0-9_]*$/#) else {
                // Not shown: it may well be the secret itself.
                throw field.error(
                    "expected the name of an environment variable",
                    remedy: """
                        Put the secret into a variable of the gateway's environment, and write the \
                        variable's name here: OPENAI_API_KEY. `caller` passes the caller's on.
                        """)
            }
            key = name
        }
        _ = try fields.choice("dialect", default: Dialect.openai)
        return Upstream(
            name: name, url: address.trimmingSuffix("/"), key: key,
            models: try fields["models"].map(models) ?? [],
            terms: try fields["terms"]?.text())
    }

    private static func models(_ field: SpecificationField) throws(InputError) -> [String] {
        let names = try field.list(max: 10_000) { (field) throws(InputError) in
            try field.text(max: 256)
        }
        guard !names.isEmpty else {
            throw field.error(
                "an empty list names no model",
                remedy: """
                    Leave `models` out for an upstream that answers to any name; `NAME: null` takes an \
                    upstream out.
                    """)
        }
        if let twice = Dictionary(grouping: names, by: { $0 }).first(where: { $1.count > 1 })?.key {
            throw field.error("`\(twice)` is listed twice", remedy: "Name each model once.")
        }
        return names
    }

    private static func price(
        of model: String, _ field: SpecificationField
    ) throws(InputError) -> Price {
        let fields = try field.object("from", "input", "cachedInput", "output")
        let day = try fields.required("from")
        let text = try day.text()
        guard text.wholeMatch(of: #/\d{4}-\d\d-\d\d/#) != nil,
            (try? Date(text, strategy: .iso8601.year().month().day())) != nil
        else { throw day.error("`\(text.prefix(40))` is not a day", remedy: "Write 2026-01-31.") }
        return Price(
            model: model, fromDay: text, input: try money(try fields.required("input")),
            cachedInput: try fields["cachedInput"].map(money),
            output: try money(try fields.required("output")))
    }

    /// The decimal that was written: the shortest that reads back as the same number.
    private static func money(_ field: SpecificationField) throws(InputError) -> Decimal {
        let number = try field.number(in: 0...1_000_000_000)
        guard let money = Decimal(string: "\(number)") else {
            throw field.error("\(number) is not an amount of money")
        }
        return money
    }
}

extension String {
    fileprivate func trimmingSuffix(_ suffix: Character) -> String {
        var text = self[...]
        while text.last == suffix { text.removeLast() }
        return String(text)
    }
}

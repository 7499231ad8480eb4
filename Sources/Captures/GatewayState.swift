import Crypto
import FlywheelCore
import Foundation
import Jobs

/// All that a gateway knows of keys, upstreams, prices and tasks, at one moment.
public struct GatewayState: Codable, Sendable, Equatable {
    public struct Key: Codable, Sendable, Equatable {
        public var name: String
        /// SHA-256 of the secret.
        public var hash: String
        public var scopes: [String]

        public init(name: String, hash: String, scopes: [String]) {
            self.name = name
            self.hash = hash
            self.scopes = scopes
        }
    }

    public var keys: [Key]
    public var upstreams: [Upstream]
    public var prices: [Price]
    /// Of the registry, as `name@version`.
    public var models: [String]
    public var tasks: [TaskRoute]
    /// In hexadecimal digits.
    public var endUserKey: String
    /// Names this state among others.
    public var digest: String

    public init(
        keys: [Key] = [], upstreams: [Upstream] = [], prices: [Price] = [], models: [String] = [],
        tasks: [TaskRoute] = [], endUserKey: String = "", digest: String = ""
    ) {
        self.keys = keys
        self.upstreams = upstreams
        self.prices = prices
        self.models = models
        self.tasks = tasks
        self.endUserKey = endUserKey
        self.digest = digest
    }

    enum CodingKeys: String, CodingKey {
        case keys, upstreams, prices, models, tasks, digest
        case endUserKey = "end_user_key"
    }

    /// What all gateways of a team share and nobody else has.
    public var secret: [UInt8] { [UInt8](hexadecimal: endUserKey) }

    /// What stands for `person` in captures: HMAC-SHA256 under the database's key, 128 bits of it.
    public func endUser(_ person: String) -> String {
        let code = HMAC<SHA256>.authenticationCode(
            for: Data(person.utf8), using: SymmetricKey(data: Data(secret)))
        return code.prefix(16).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

// MARK: What a `model` means

/// Where a call goes.
public struct Destination: Sendable, Equatable {
    public var upstream: Upstream
    /// As the upstream knows it.
    public var model: String

    public init(upstream: Upstream, model: String) {
        self.upstream = upstream
        self.model = model
    }

    /// A model of the registry, by `name@version`; where its server is, is asked for with each call.
    public static func own(_ model: String) -> Self {
        Self(upstream: Upstream(name: ownName, url: ""), model: model)
    }

    /// What captures name as the upstream of models of ours.
    public static let ownName = UpstreamModel.ownUpstream

    /// Whether a server of ours answers.
    public var isOwn: Bool { upstream.name == Self.ownName && upstream.url.isEmpty }
}

/// A `model` that leads nowhere.
public enum UnknownModel: Error, Sendable, Equatable {
    /// Nothing has that name; the nearest that exist.
    case unknown(nearest: [String])
    /// A task leads to an upstream that the book has no more.
    case missingUpstream(String)
}

extension GatewayState {
    /// What `name` means: a model of the registry (`flywheel/model` too), `model` of an upstream that
    /// lists it, `upstream/model`, or whatever an upstream without a list makes of it.
    ///
    /// A book has no model twice (of one from before that rule, the first by name has it); an upstream
    /// that lists a version of a model of ours is its server. A name of the registry means the version that is `promoted`, else
    /// the newest.
    public func resolve(
        _ name: String, promoted: [String: String] = [:]
    ) throws(UnknownModel) -> Destination {
        let lister = upstreams.first { $0.models.contains(name) }
        if let lister, name.contains("@") { return Destination(upstream: lister, model: name) }
        if let own = registered(name, promoted) { return .own(own) }
        if let lister { return Destination(upstream: lister, model: name) }
        let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
        if parts.count == 2, parts[0] == Destination.ownName,
            let own = registered(parts[1], promoted)
        {
            return .own(own)
        }
        if parts.count == 2, let upstream = upstreams.first(where: { $0.name == parts[0] }),
            upstream.models.isEmpty || upstream.models.contains(parts[1])
        {
            return Destination(upstream: upstream, model: parts[1])
        }
        if let any = upstreams.first(where: \.models.isEmpty) {
            return Destination(upstream: any, model: name)
        }
        throw .unknown(nearest: nearestNames(to: name))
    }

    /// The `name@version` that a name of the registry means.
    private func registered(_ name: String, _ promoted: [String: String]) -> String? {
        if name.contains("@") { return models.contains(name) ? name : nil }
        if let version = promoted[name] { return version }
        return models.filter { $0.hasPrefix(name + "@") }.max { version($0) < version($1) }
    }

    private func version(_ title: String) -> Int {
        title.split(separator: "@").last.flatMap { Int($0) } ?? 0
    }

    /// Every name that a call may use, without those that need an upstream's name before them.
    public var names: [(name: String, owner: String)] {
        tasks.map { ($0.name, "flywheel") } + models.map { ($0, "flywheel") }
            + upstreams.flatMap { upstream in upstream.models.map { ($0, upstream.name) } }
    }

    private func nearestNames(to name: String) -> [String] {
        var known = Set(
            names.map(\.name)
                + upstreams.flatMap { upstream in
                    upstream.models.map { "\(upstream.name)/\($0)" }
                })
        var near: [String] = []
        while near.count < 3, let next = nearest(to: name, among: known.sorted()) {
            near.append(next)
            known.remove(next)
        }
        return near
    }
}

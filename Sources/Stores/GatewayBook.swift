public import Captures
public import FlywheelCore
public import Postgres

/// Who may call the gateway, what stands behind it, and what that costs.
public struct GatewayBook: Sendable {
    let pool: Pool

    public init(_ pool: Pool) { self.pool = pool }

    // MARK: Keys

    /// Adds a key whose secret hashes to `hash`; throws `StoreRefusal` where the name is taken.
    public func addKey(
        named name: String, hash: Digest, hint: String, scopes: [String]
    ) async throws {
        _ = try await translating {
            try await pool.execute(
                "SELECT flywheel.create_key(\(name), \(hash.hex), \(hint), \(scopes))")
        }
    }

    /// Ends a key; gateways hear of it within seconds.
    public func revokeKey(named name: String) async throws {
        _ = try await translating {
            try await pool.execute("SELECT flywheel.revoke_key(\(name))")
        }
    }

    public func keys() async throws -> [JSONValue] {
        try await rows("SELECT to_jsonb(k) FROM flywheel.api_keys k ORDER BY created_at")
    }

    // MARK: Upstreams

    /// Takes up what `book` says that is new; returns the names of what changed.
    public func apply(_ book: UpstreamBook, author: String) async throws -> [String] {
        try await translating {
            try await pool.value("SELECT flywheel.apply_upstreams(\(book.json), \(author))")
        }
    }

    public func upstreams() async throws -> [JSONValue] {
        try await rows("SELECT to_jsonb(u) FROM flywheel.upstreams u ORDER BY name")
    }

    public func prices() async throws -> [JSONValue] {
        try await rows("SELECT to_jsonb(p) FROM flywheel.prices p ORDER BY model, from_day")
    }

    private func rows(_ statement: Statement) async throws -> [JSONValue] {
        try await pool.values(statement, as: JSONValue.self)
    }
}

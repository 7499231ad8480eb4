import EmbeddedPostgres
import Foundation
import Postgres
import Testing
import TestSupport

@Suite struct EmbeddedServers {
    @Test func `data outlive a stop and a start`() async throws {
        try await temporaryFolder { home in
            let configuration = EmbeddedPostgres.Configuration(home: home, durability: .off)
            try await EmbeddedPostgres.withServer(configuration) { server in
                let pool = Pool(server.connectionString)
                defer { pool.close() }
                try await pool.execute("CREATE TABLE kept AS SELECT 42 AS n")
                let setting = "SELECT current_setting('data_checksums')" as Statement
                #expect(try await pool.value(setting) == "on")
            }
            try await EmbeddedPostgres.withServer(configuration) { server in
                let pool = Pool(server.connectionString)
                defer { pool.close() }
                #expect(try await pool.value("SELECT n FROM kept") == 42)
                #expect(try await pool.value("SELECT current_user::text") == "flywheel")
            }
        }
    }
}

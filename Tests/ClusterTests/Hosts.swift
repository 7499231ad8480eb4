import FlywheelCore
import Foundation
import Glibc
import Jobs
import Postgres
import Processes
import Synchronization
import TestSupport
import Testing

/// A cluster of several hosts that share a network and nothing else: each has its own worker, home and cache;
/// the hub has PostgreSQL and the coordinator that keeps the artifacts.
final class Hosts: Sendable {
    let network: HostNetwork
    let database: HostDatabase
    let cluster: Cluster
    let names: [String]
    private let workers = Mutex<[String: ChildProcess]>([:])
    private let keeper = Mutex<ChildProcess?>(nil)
    private static let port = 8790

    private init(
        _ names: [String], _ network: HostNetwork, _ database: HostDatabase, _ folder: String
    ) {
        self.names = names
        self.network = network
        self.database = database
        let variables = [
            "FLYWHEEL_HOME": network.ownHome,
            "FLYWHEEL_ARTIFACTS": "http://\(network.address(of: HostNetwork.hub)):\(Self.port)",
        ]
        cluster = Cluster(
            pool: database.pool, home: folder, databaseURL: database.url(on: network),
            site: .init(prefix: network.prefix(on: HostNetwork.hub), variables: variables))
    }

    /// Lends hosts with a worker of two slots each, and checks that what happened may happen.
    static func lend(
        _ names: [String] = ["a", "b"], grant: String = "15 s", grace: String = "5 s",
        variables: [String: [String: String]] = [:], smallDisk: String? = nil,
        _ body: @escaping @Sendable (Hosts) async throws -> Void
    ) async throws {
        try await temporaryFolder { folder in
            let network = try HostNetwork(names, folder: folder + "/cluster")
            defer { network.remove() }
            let database = try await HostDatabase.start(on: network, at: folder + "/postgres")
            do {
                try await database.pool.execute(
                    """
                    UPDATE flywheel.setting SET lease_grant = \(grant)::text::interval,
                        reap_grace = \(grace)::text::interval
                    """)
                let hosts = Hosts(names, network, database, folder + "/cluster")
                if let smallDisk {
                    try Tool.run([
                        "/usr/bin/mount", "-t", "tmpfs", "-o", "size=64m,mode=755", "none",
                        network.home(of: smallDisk),
                    ])
                }
                try await hosts.cluster.run { _ in
                    try await hosts.startKeeper()
                    for name in names {
                        try "+0".write(
                            toFile: network.home(of: name) + "/clock", atomically: false,
                            encoding: .utf8)
                        let own = (variables[name] ?? [:]).mapValues {
                            $0.replacing("HOME", with: network.ownHome)
                        }
                        try await hosts.startWorker(on: name, variables: own)
                    }
                    try await body(hosts)
                }
            } catch {
                await database.stop()
                throw error
            }
            await database.stop()
        }
    }

    // MARK: Processes

    /// The coordinator that keeps the artifacts, on the hub.
    @discardableResult
    func startKeeper() async throws -> ChildProcess {
        let child = try await cluster.start(
            [
                "coordinator", "--artifacts",
                "\(network.address(of: HostNetwork.hub)):\(Self.port)",
            ], log: "test-keeper",
            variables: ["FLYWHEEL_ARTIFACTS": network.ownHome + "/artifacts"])
        keeper.withLock { $0 = child }
        return child
    }

    /// One that only waits to lead.
    func startStandby(on host: String) async throws -> ChildProcess {
        try await cluster.start(["coordinator"], log: "test-standby-\(host)", at: site(host))
    }

    var keeperProcess: ChildProcess? { keeper.withLock(\.self) }

    private func site(_ host: String) -> Cluster.Site {
        var site = cluster.site ?? .init(prefix: [], variables: [:])
        site.prefix = network.prefix(on: host)
        return site
    }

    @discardableResult
    func startWorker(
        on host: String, slots: Int = 2, variables: [String: String] = [:]
    ) async throws -> ChildProcess {
        let child = try await cluster.start(
            [
                "worker", "--node", host, "--slots", "\(slots)", "--network", HostNetwork.subnet,
                "--serve-slots", "0",
            ], log: "test-worker-\(host)", variables: variables, at: site(host))
        workers.withLock { $0[host] = child }
        return child
    }

    func worker(on host: String) throws -> ChildProcess {
        try #require(workers.withLock { $0[host] })
    }

    /// The processes of `host` that belong to its worker, it first.
    func tree(on host: String) throws -> [ProcessEntry] {
        ProcessEntry.tree(of: try worker(on: host).pid)
    }

    /// A process of `host` by its name.
    func process(_ names: String..., on host: String) async throws -> ProcessEntry {
        let found = try await poll(for: "\(names[0]) on \(host)") {
            try tree(on: host).first { names.contains($0.name) }
        } until: {
            $0 != nil
        }
        return try #require(found)
    }

    // MARK: Moments

    /// The database's own time.
    func now() async throws -> Date {
        let seconds: Double = try await database.pool.retrying { connection in
            try await connection.value("SELECT extract(epoch FROM clock_timestamp())::float8")
        }
        return Date(timeIntervalSince1970: seconds)
    }

    /// What the attempts at `job` took after something happened at `moment` to the one numbered `attempt`,
    /// from the rows of its events; waits for the first step of the next.
    func report(
        _ what: String, of job: JobID, attempt: Int, since moment: Date
    ) async throws -> DrillTimes {
        let seconds = moment.timeIntervalSince1970
        let row = try await poll(for: "a step after \(what)", atMost: .seconds(120)) {
            try await database.pool.retrying { connection in
                try await connection.first(
                    """
                    SELECT extract(epoch FROM a.ended_at)::float8 - \(seconds),
                        extract(epoch FROM (SELECT min(e.at) FROM flywheel.job_event e
                            WHERE e.job_id = a.job_id AND e.name = 'queued' AND e.at >= a.ended_at))::float8
                            - \(seconds),
                        extract(epoch FROM n.granted_at)::float8 - \(seconds),
                        extract(epoch FROM (SELECT min(e.at) FROM flywheel.job_event e
                            WHERE e.fence = n.fence AND e.name = 'stepping'))::float8 - \(seconds),
                        a.end_state || ': ' || coalesce(a.reason, '')
                    FROM flywheel.attempt a JOIN flywheel.attempt n
                        ON n.job_id = a.job_id AND n.attempt = a.attempt + 1
                    WHERE a.job_id = \(job) AND a.attempt = \(attempt)
                    """)
            }
        } until: { row in
            (try? row?.decode(at: 3, as: Double?.self)) != .some(.none) && row != nil
        }
        let found = try #require(row)
        let times = DrillTimes(
            what: what, detected: try found.decode(at: 0), requeued: try found.decode(at: 1),
            relaunched: try found.decode(at: 2), stepping: try found.decode(at: 3),
            reason: try found.decode(at: 4))
        print(times)
        return times
    }

    /// From the grant of an attempt to its first step, as its events say; seconds.
    func launchSeconds(of job: JobID, attempt: Int) async throws -> Double {
        try await database.pool.value(
            """
            SELECT extract(epoch FROM min(e.at) - min(a.granted_at))::float8
            FROM flywheel.attempt a JOIN flywheel.job_event e ON e.fence = a.fence AND e.name = 'stepping'
            WHERE a.job_id = \(job) AND a.attempt = \(attempt)
            """)
    }
}

/// What a drill took, in seconds since what was done.
struct DrillTimes: CustomStringConvertible {
    var what: String
    var detected: Double
    var requeued: Double
    var relaunched: Double
    var stepping: Double
    var reason: String

    /// As `scripts/drill` finds it.
    var description: String {
        let numbers = [detected, requeued, relaunched, stepping].map { String(format: "%.2f", $0) }
        return "drill: \(what) | \(numbers.joined(separator: " | ")) | \(reason)"
    }
}

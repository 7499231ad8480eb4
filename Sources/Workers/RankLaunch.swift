import Foundation

/// The command line and environment of a gang on this node.
///
/// Ranks get an environment of their own: nothing that this worker was given, its database least of
/// all, reaches a process that runs models.
package struct RankLaunch: Sendable {
    package var launcher: String
    package var program: String
    package var ranks: Int
    package var plan: String
    /// For this attempt's temporary files; short, since Open MPI puts sockets there.
    package var temporary: String
    /// Where ranks share memory; removed with the attempt, whatever killed it.
    package var sharedMemory: String
    /// `AttemptMark.variable`'s value.
    package var mark: String
    /// Added to the environment as configured.
    package var extra: [String: String]
    /// Where the ranks are, if this worker launches those of several nodes.
    package var span: GangSpan?
    /// Whether ranks of other nodes belong to the gang, so that each finds its plan by itself.
    package var isSpread: Bool

    package init(
        launcher: String, program: String, ranks: Int, plan: String, temporary: String,
        sharedMemory: String, mark: String, extra: [String: String] = [:], span: GangSpan? = nil,
        isSpread: Bool = false
    ) {
        self.launcher = launcher
        self.program = program
        self.ranks = ranks
        self.plan = plan
        self.temporary = temporary
        self.sharedMemory = sharedMemory
        self.mark = mark
        self.extra = extra
        self.span = span
        self.isSpread = isSpread
    }

    package var arguments: [String] {
        [launcher, "-n", "\(ranks)", "--oversubscribe", "--bind-to", "none"]
            + (span?.arguments ?? here) + [
                // Containers often forbid one rank to read another's memory.
                "--mca", "btl_vader_single_copy_mechanism", "none",
                // Between SIGTERM and SIGKILL when a rank has died or mpirun was told to end. Ranks
                // are asked to leave over their socket; here every second, counted twice, delays the
                // next attempt (measured: 10 s at 5, 0.2 s at 0).
                "--mca", "odls_base_sigkill_timeout", "0",
            ] + (span == nil ? [program, plan] : GangSpan.rank)
    }

    /// This node alone: nothing listens beyond it, and nobody looks for ssh.
    private var here: [String] {
        [
            "--mca", "plm", "isolated", "--mca", "oob_tcp_if_include", "lo", "--mca", "pml", "ob1",
            "--mca", "btl", "self,vader", "--mca", "btl_vader_backing_directory", sharedMemory,
        ]
    }

    /// The whole environment; `ours` is this process's own, of which a few names are taken over.
    package func environment(from ours: [String: String]) -> [String: String] {
        var environment = ScrubbedEnvironment.of(ours, temporary: temporary)
        environment["OMPI_ALLOW_RUN_AS_ROOT"] = "1"
        environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
        if isSpread { environment.merge(GangSpan.environment(program, plan, sharedMemory)) { $1 } }
        environment.merge(extra) { _, configured in configured }
        environment[AttemptMark.variable] = mark
        return environment
    }
}

/// What every child is given of a worker's environment.
enum ScrubbedEnvironment {
    static func of(_ ours: [String: String], temporary: String) -> [String: String] {
        let passed = ["LD_LIBRARY_PATH", "LANG", "TZ"]
        var environment = ours.filter { passed.contains($0.key) }
        environment["PATH"] = ours["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        environment["HOME"] = ours["HOME"] ?? temporary
        environment["LANG"] = environment["LANG"] ?? "C.UTF-8"
        environment["TMPDIR"] = temporary
        return environment
    }
}

package import Jobs

/// How a gang of several nodes is launched from its leader's: by an mpirun that asks an agent to start
/// its daemons elsewhere, which the workers there do.
package struct GangSpan: Sendable {
    /// In order of their ranks; the first is the leader's.
    package var parts: [GangPart]
    package var network: MPINetwork
    /// What mpirun calls for every other node.
    package var agent: String

    package init(parts: [GangPart], network: MPINetwork, agent: String) {
        self.parts = parts
        self.network = network
        self.agent = agent
    }

    /// Names that need not resolve: a part is known by its first rank.
    private static let prefix = "member-"

    /// The part that mpirun means by a node's name; nil for a name that is none of ours.
    package static func firstRank(ofNode name: some StringProtocol) -> Int? {
        name.hasPrefix(prefix) ? Int(name.dropFirst(prefix.count)) : nil
    }

    package var arguments: [String] {
        let hosts = parts.map { part in
            (part.firstRank == 0 ? "localhost" : "\(Self.prefix)\(part.firstRank)")
                + ":\(part.rankCount)"
        }
        return [
            "--host", hosts.joined(separator: ","), "--leave-session-attached",
            // Each node finds its own Open MPI.
            "--noprefix",
            "--mca", "plm", "rsh", "--mca", "plm_rsh_agent", agent,
            "--mca", "plm_rsh_no_tree_spawn", "1",
        ] + network.settings.flatMap { ["--mca", $0.0, $0.1] }
    }

    /// What a rank is on whichever node: its program, its plan and its memory are where its own worker
    /// says, since nodes need not be alike.
    static let rank = [
        "/bin/sh", "-c",
        "export OMPI_MCA_btl_vader_backing_directory=\"$FLYWHEEL_SHARED_MEMORY\"; "
            + "exec \"$FLYWHEEL_RANK\" \"$FLYWHEEL_PLAN\"",
    ]

    static func environment(
        _ program: String, _ plan: String, _ sharedMemory: String
    ) -> [String: String] {
        [
            "FLYWHEEL_RANK": program, "FLYWHEEL_PLAN": plan,
            "FLYWHEEL_SHARED_MEMORY": sharedMemory,
        ]
    }

    /// A program that leaves what mpirun asks of it in a file beside it, for the worker to read.
    ///
    /// mpirun takes its end for the start of a daemon, and waits for that daemon to speak.
    static let agentText = """
        #!/bin/sh
        # AGENT NODE orted ARGUMENT...: what is to be started on NODE, a word on each line.
        node=$1
        shift
        printf '%s\\n' "$@" >"$0.$node.new" && mv "$0.$node.new" "$0.$node"
        """
}

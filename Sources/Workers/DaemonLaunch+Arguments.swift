package import FlywheelCore
package import Jobs

extension DaemonLaunch {
    /// Reads what mpirun asks an agent to start (Open MPI 4.1): the words after the node's name.
    ///
    /// Throws `InputError` for words that are not those of a daemon.
    package init(words: [String]) throws(InputError) {
        let words = words.map { $0.trimmingQuotes }
        func value(_ name: String) throws(InputError) -> String {
            guard let place = words.firstIndex(of: name), place + 1 < words.count else {
                throw Self.unknown("they name no `\(name)`")
            }
            return words[place + 1]
        }
        guard words.first == "orted" else { throw Self.unknown("they do not begin with `orted`") }
        guard let job = UInt32(try value("ess_base_jobid")),
            let daemon = Int(try value("ess_base_vpid")), daemon > 0,
            let daemons = Int(try value("ess_base_num_procs")), daemons > daemon
        else { throw Self.unknown("they do not count the daemons") }
        self.init(
            job: job, daemon: daemon, daemons: daemons, nodes: try value("orte_node_regex"),
            head: try value("orte_hnp_uri"))
        try check()
    }

    /// The daemon's command line on this node.
    ///
    /// Throws `InputError` where a field holds what no launcher of ours says: the fields came by way of
    /// the database.
    package func arguments(network: String) throws(InputError) -> [String] {
        try check()
        let settings = [
            ("orte_leave_session_attached", "1"), ("ess", "env"), ("ess_base_jobid", "\(job)"),
            ("ess_base_vpid", "\(daemon)"), ("ess_base_num_procs", "\(daemons)"),
            ("orte_node_regex", nodes), ("orte_hnp_uri", head), ("plm", "rsh"),
            ("plm_rsh_no_tree_spawn", "1"), ("pmix", "^s1,s2,cray,isolated"),
            ("rmaps_base_oversubscribe", "1"), ("hwloc_base_binding_policy", "none"),
            ("odls_base_sigkill_timeout", "0"),
        ]
        return ["orted"]
            + (settings + MPINetwork(network).settings).flatMap { ["-mca", $0.0, $0.1] }
    }

    private func check() throws(InputError) {
        guard nodes.wholeMatch(of: #/[A-Za-z0-9,:@()\[\]._-]+/#) != nil else {
            throw Self.unknown("the nodes are `\(nodes)`")
        }
        guard head.wholeMatch(of: #/[0-9]+\.0;(tcp6?:\/\/[0-9a-fA-F.,:\[\]]+;?)+/#) != nil else {
            throw Self.unknown("the launcher's address is `\(head)`")
        }
    }

    private static func unknown(_ why: String) -> InputError {
        InputError(
            "the words for a daemon of Open MPI are not understood: \(why)",
            remedy: "No rank was started. Install Open MPI 4.1 on all nodes.")
    }
}

/// How ranks of several nodes reach each other.
package struct MPINetwork: Sendable {
    /// In CIDR notation, or the name of an interface.
    package let name: String

    package init(_ name: String) { self.name = name }

    package var settings: [(String, String)] {
        [
            ("oob_tcp_if_include", name), ("btl_tcp_if_include", name), ("pml", "ob1"),
            ("btl", "self,vader,tcp"),
        ]
    }
}

extension String {
    fileprivate var trimmingQuotes: String {
        let bare = Substring(self).drop { $0 == " " }
        guard bare.count >= 2, bare.first == "\"", bare.last == "\"" else { return String(bare) }
        return String(bare.dropFirst().dropLast())
    }
}

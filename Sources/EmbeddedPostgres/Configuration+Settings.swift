extension EmbeddedPostgres.Configuration {
    /// What the server is told on its command line; `postgresql.conf` stays as it was made.
    func settings(socketFolder: String) -> [(name: String, value: String)] {
        let base = [
            // Only the socket, only for its owner.
            ("listen_addresses", ""), ("port", "5432"),
            ("unix_socket_directories", "\"\(socketFolder)\""),
            ("unix_socket_permissions", "0700"), ("cluster_name", "flywheel"),
            ("max_connections", "\(maxConnections)"), ("shared_buffers", "\(sharedBuffers)MB"),
            // Short statements beside training: no plans that are compiled or take more cores.
            ("jit", "off"), ("max_parallel_workers_per_gather", "0"),
            ("random_page_cost", "1.1"), ("max_wal_size", "1GB"), ("TimeZone", "UTC"),
            // A queue updates the same rows over and over: vacuum small, often and fast.
            ("autovacuum_naptime", "10s"), ("autovacuum_vacuum_scale_factor", "0.02"),
            ("autovacuum_vacuum_threshold", "200"), ("autovacuum_vacuum_cost_limit", "1000"),
            ("autovacuum_analyze_scale_factor", "0.05"),
            // The log says what failed, not with which values.
            ("logging_collector", "off"), ("log_destination", "stderr"),
            ("log_min_error_statement", "panic"), ("log_error_verbosity", "terse"),
            ("log_checkpoints", "off"), ("log_line_prefix", "%m [%p] "), ("log_timezone", "UTC"),
            ("lc_messages", "C"),
        ]
        guard durability == .off else { return base }
        return base + [
            ("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off"),
            ("wal_level", "minimal"), ("max_wal_senders", "0"),
        ]
    }
}

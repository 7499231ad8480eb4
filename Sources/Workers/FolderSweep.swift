import Foundation
import Jobs
import Logging

/// Removes the folders of jobs whose end this worker was no part of: they ended elsewhere, or were
/// cancelled while they waited.
struct FolderSweep: Sendable {
    let store: any JobStore
    let folders: WorkerFolders
    let interval: Duration
    let log: Logger

    /// Sweeps at once, and again after every interval, until cancelled.
    func run() async {
        while !Task.isCancelled {
            do {
                try await sweep()
            } catch {
                log.notice("folders not swept", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: interval)
        }
    }

    private func sweep() async throws {
        // Looked at before the store is asked: a job that is over never runs again, so what the
        // store names can have no attempt that is worth anything.
        let present = folders.jobs
        guard !present.isEmpty else { return }
        for job in try await store.ended(among: present) {
            folders.removeJob(job)
            log.info("folder removed", metadata: ["job.id": "\(job)"])
        }
    }
}

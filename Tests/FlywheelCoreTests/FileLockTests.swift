import FlywheelCore
import Foundation
import Glibc
import Testing

@Suite struct FileLocks {
    @Test func `a lock that is held names its holder, and its refusal closes no other file`()
        async throws
    {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("lock-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let held = try FileLock(path)
        let refusals = Task.detached {
            for _ in 0..<20_000 {
                #expect(throws: FileLock.Failure.held(by: getpid())) { _ = try FileLock(path) }
            }
        }
        // What this thread opens meanwhile stays open: descriptors are numbers, and soon used again.
        for _ in 0..<20_000 {
            let file = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
            sched_yield()
            #expect(fcntl(file, F_GETFD) >= 0 && close(file) == 0, "somebody else closed it")
        }
        await refusals.value
        held.release()
        _ = try FileLock(path)
    }
}

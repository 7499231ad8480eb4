import Synchronization
import Testing
import Workers

@Suite struct `A watch on a disk` {
    private final class Disk: Sendable {
        let free = Mutex<Int64>(500 << 20)
        var watch: DiskWatch {
            DiskWatch("/home") { [self] in (free.withLock(\.self), 1 << 30) }
        }
    }

    @Test func `keeps work away below a reserve, and until there is twice as much`() throws {
        let disk = Disk()
        let watch = disk.watch
        // Whoever begins has the store forget what an earlier life found.
        let first = watch.news()
        #expect(first != nil && first == .some(.none))
        watch.told(nil)
        #expect(watch.news() == nil)
        disk.free.withLock { $0 = 20 << 20 }
        let word = try #require(watch.news() ?? nil)
        #expect(word.contains("/home") && word.contains("20 MiB") && watch.isFull)
        watch.told(word)
        disk.free.withLock { $0 = 30 << 20 }
        #expect(watch.news() == nil && watch.isFull)
        disk.free.withLock { $0 = 41 << 20 }
        #expect(watch.news() == .some(.none))
        #expect(!watch.isFull)
    }

    @Test func `believes a job that found no room, unless there is plenty`() {
        let disk = Disk()
        let watch = disk.watch
        watch.foundFull()
        #expect(!watch.isFull)
        disk.free.withLock { $0 = 90 << 20 }
        watch.foundFull()
        #expect(watch.isFull)
        _ = watch.news()
        #expect(watch.isFull)
        disk.free.withLock { $0 = 107 << 20 }
        _ = watch.news()
        #expect(!watch.isFull)
    }
}

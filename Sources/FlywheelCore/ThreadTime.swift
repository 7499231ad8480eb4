#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// How long the calling thread has been on a core: what it computed, whoever else wanted the core
/// meanwhile.
public func threadTime() -> Duration {
    var time = timespec()
    // Fails for clocks that a system does not have; Linux has this one.
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
}

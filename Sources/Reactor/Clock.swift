// HOT. What time it is: read once per turn of a loop, handed to everybody as a number.
import Glibc

/// The system's clocks in the units that the loops use.
public enum Clock {
    /// Milliseconds of the monotonic clock (coarse: about 4 ms of resolution, 5 ns to read).
    @inline(__always)
    public static func milliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return Int64(time.tv_sec) &* 1000 &+ Int64(time.tv_nsec) / 1_000_000
    }

    /// Microseconds of the monotonic clock (fine).
    @inline(__always)
    public static func microseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) &* 1_000_000 &+ Int64(time.tv_nsec) / 1000
    }

    /// Milliseconds since 1970-01-01 (UTC).
    @inline(__always)
    public static func unixMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) &* 1000 &+ Int64(time.tv_nsec) / 1_000_000
    }
}

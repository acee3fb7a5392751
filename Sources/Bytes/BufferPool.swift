// HOT. Buffers that are lent to a connection while it has bytes, and come back when it has none.

/// A pool of buffers of one size, for one thread.
///
/// Keeps at most `kept` idle buffers; one that has grown to more than four times the size is let go.
public final class BufferPool {
    private var idle: [OutputBuffer] = []
    private let size: Int
    private let kept: Int

    /// A pool of buffers of `size` bytes that keeps up to `kept` of them.
    public init(size: Int, kept: Int) {
        self.size = size
        self.kept = kept
        idle.reserveCapacity(kept)
    }

    /// An empty buffer.
    @inline(__always)
    public func take() -> OutputBuffer {
        idle.popLast() ?? OutputBuffer(capacity: size)
    }

    /// Takes a buffer back.
    @inline(__always)
    public func give(_ buffer: consuming OutputBuffer) {
        guard idle.count < kept, buffer.capacity <= size &* 4 else { return }
        buffer.removeAll()
        idle.append(buffer)
    }
}

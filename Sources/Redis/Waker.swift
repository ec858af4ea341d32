import Glibc

/// Ends another thread's wait, opens the operating system's sockets: a pair of them, one end for either side.
final class Waker: Sendable {
    private let inner: Int32
    private let outer: Int32

    /// A waker that nobody has woken yet, or nil where the process has no descriptor left.
    init?() {
        var pair: [Int32] = [-1, -1]
        let type = SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
        guard socketpair(AF_UNIX, Int32(type), 0, &pair) == 0 else { return nil }
        inner = pair[0]
        outer = pair[1]
    }

    deinit {
        close(inner)
        close(outer)
    }

    /// Wakes whoever waits, or the next one who does.
    func wake() {
        var byte: UInt8 = 1
        // A full buffer is as good as one more byte.
        _ = send(outer, &byte, 1, Int32(MSG_NOSIGNAL))
    }

    /// Forgets all wakes so far.
    func clear() {
        var bytes = [UInt8](repeating: 0, count: 512)
        while recv(inner, &bytes, bytes.count, 0) == bytes.count {}
    }

    /// Waits until woken or until the deadline.
    func wait(until deadline: ContinuousClock.Instant) {
        _ = Self.poll(interest, until: deadline)
    }

    /// What `poll` is to watch.
    var interest: [(descriptor: Int32, events: Int16)] { [(inner, Int16(POLLIN))] }

    /// Waits until something happens to one of the descriptors (`poll`); false if the deadline came first.
    static func poll(
        _ interests: [(descriptor: Int32, events: Int16)], until deadline: ContinuousClock.Instant
    ) -> Bool {
        var descriptors = interests.map { pollfd(fd: $0.descriptor, events: $0.events, revents: 0) }
        while true {
            let left = (deadline - .now).components
            let nanoseconds = left.seconds * 1_000_000_000 + left.attoseconds / 1_000_000_000
            // Rounded up, so that it doesn't spin through the last millisecond; at most an hour.
            let milliseconds = min(max(0, (nanoseconds + 999_999) / 1_000_000), 3_600_000)
            let count = Glibc.poll(&descriptors, nfds_t(descriptors.count), Int32(milliseconds))
            if count > 0 { return true }
            if count == 0, deadline <= .now { return false }
            if count < 0, errno != EINTR { return true }
        }
    }
}

import Glibc
import Walk

/// A connected descriptor that never blocks and whose bytes pass as they are, opens the operating system's sockets.
final class Wire {
    /// What became of one attempt to move bytes.
    enum Step {
        /// So many bytes were moved, at least one.
        case moved(Int)
        /// None for now: wait.
        case blocked
        /// The other side has ended the connection.
        case ended
        /// The connection is broken, and why.
        case failed(SinkError)
    }

    /// The descriptor, closed with this object.
    let descriptor: Int32
    /// The first byte that has come: it tells protocols apart.
    private(set) var firstByte: UInt8?

    /// Takes over a connected descriptor that does not block.
    init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// Hands bytes to the system (`send`).
    func send(_ bytes: UnsafeRawBufferPointer) -> Step {
        step(Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)))
    }

    /// Takes bytes that have come (`recv`).
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> Step {
        let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
        if firstByte == nil, count > 0 { firstByte = buffer[0] }
        return count == 0 ? .ended : step(count)
    }

    private func step(_ count: Int) -> Step {
        if count >= 0 { return .moved(count) }
        guard errno != EAGAIN, errno != EINTR else { return .blocked }
        return .failed(SinkError(.unavailable, Self.text(ofError: errno)))
    }

    /// The system's words for an error number (`strerror`).
    static func text(ofError number: Int32) -> String {
        number == ETIMEDOUT ? "no answer in time" : String(cString: strerror(number))
    }
}

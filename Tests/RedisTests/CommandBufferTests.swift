import Records
import Testing

@testable import Redis

struct CommandBufferTests {
    @Test func `commands are arrays of counted bytes`() {
        var buffer = CommandBuffer([["PING"], ["AUTH", "", "pä\r\n"]])
        let changes = changes([("a\0b", "x\r\ny"), ("", ""), ("gone", nil)])
        buffer.append(changes, in: 0..<3)
        #expect(
            String(decoding: buffer.bytes, as: UTF8.self)
                == "*1\r\n$4\r\nPING\r\n*3\r\n$4\r\nAUTH\r\n$0\r\n\r\n$5\r\npä\r\n\r\n"
                + "*3\r\n$3\r\nSET\r\n$3\r\na\0b\r\n$4\r\nx\r\ny\r\n"
                + "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$0\r\n\r\n*2\r\n$3\r\nDEL\r\n$4\r\ngone\r\n")
        #expect(buffer.count == 5)
    }

    @Test func `a pipeline is bounded in commands and in bytes, but takes one command of any size`()
    {
        let small = changes((0..<1_001).map { ("k\($0)", "v") })
        var buffer = CommandBuffer()
        var taken = 0
        while taken < small.count, buffer.hasRoom(for: small.changes[taken]) {
            buffer.append(small, in: taken..<taken + 1)
            taken += 1
        }
        #expect(taken == 1_000)

        let large = changes([
            ("a", String(repeating: "x", count: 5 << 20)), ("b", "y"),
        ])
        buffer.removeAll()
        #expect(buffer.hasRoom(for: large.changes[0]))
        buffer.append(large, in: 0..<1)
        #expect(!buffer.hasRoom(for: large.changes[1]))
    }
}

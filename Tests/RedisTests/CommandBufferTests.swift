import Records
import Testing

@testable import Redis

struct CommandBufferTests {
    @Test func `commands are arrays of counted bytes`() {
        var buffer = CommandBuffer([["PING"], ["AUTH", "", "pä\r\n"]])
        let changes = changes([("a\0b", "x\r\ny"), ("", ""), ("gone", nil)])
        #expect(buffer.append(changes, in: 0..<3) == ["MSET", "DEL"])
        #expect(
            String(decoding: buffer.bytes, as: UTF8.self)
                == "*1\r\n$4\r\nPING\r\n*3\r\n$4\r\nAUTH\r\n$0\r\n\r\n$5\r\npä\r\n\r\n"
                + "*5\r\n$4\r\nMSET\r\n$3\r\na\0b\r\n$4\r\nx\r\ny\r\n$0\r\n\r\n$0\r\n\r\n"
                + "*2\r\n$3\r\nDEL\r\n$4\r\ngone\r\n")
        #expect(buffer.count == 4)
    }

    @Test func `a pipeline is bounded in commands and in bytes, but takes one batch of any size`() {
        var buffer = CommandBuffer()
        #expect(buffer.hasRoom(commands: 5_000, bytes: 5 << 20))
        for _ in 0..<999 { buffer.append(["PING"]) }
        #expect(buffer.hasRoom(commands: 1, bytes: 100))
        #expect(!buffer.hasRoom(commands: 2, bytes: 100))
        #expect(!buffer.hasRoom(commands: 1, bytes: 1 << 20))
    }
}

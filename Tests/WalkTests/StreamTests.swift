import Testing
import Walk

@Suite struct StreamTests {
    @Test func `a stream's name keeps the colons of its label`() throws {
        let arn = try #require(
            StreamARN(
                "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/orders/stream/2015-05-11T21:21:33.291"
            ))
        #expect(arn.partition == "aws-cn")
        #expect(arn.region == "cn-north-1")
        #expect(arn.table == "orders")
        #expect(arn.label == "2015-05-11T21:21:33.291")
    }

    @Test(arguments: [
        "", "orders", "arn:aws:kinesis:us-east-1:1:stream/x",
        "arn:aws:dynamodb:us-east-1:1:table/orders",
        "arn:aws:dynamodb::1:table/orders/stream/x", "arn:aws:dynamodb:us-east-1:1:table//stream/x",
    ])
    func `what is no stream's name is refused`(text: String) {
        #expect(StreamARN(text) == nil)
    }

    @Test func `a shard's name tells its age, and any other name does not`() {
        let shard = ShardID("shardId-00000001414562045508-2bac9cd2")
        #expect(shard.creationTime == 1_414_562_045.508)
        #expect(ShardID("shardId-1").creationTime == nil)
    }
}

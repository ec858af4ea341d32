import AWS
import Records
package import Walk

/// DynamoDB's tables, as far as their streams are concerned.
package struct Tables: Sendable {
    /// A table's present stream.
    package struct Stream: Sendable {
        /// The stream's name.
        package let arn: StreamARN
        /// What its records carry; nil where the service does not say.
        package let viewType: StreamViewType?
        /// The names of the table's key attributes, partition key first.
        package let keyAttributes: [String]

        /// A stream with what is known of it before it is read.
        package init(arn: StreamARN, viewType: StreamViewType?, keyAttributes: [String]) {
            self.arn = arn
            self.viewType = viewType
            self.keyAttributes = keyAttributes
        }
    }

    private static let operation = "DescribeTable"
    private let client: ServiceClient

    /// The tables that `client` reaches, which has to speak to the API `tables`.
    package init(_ client: ServiceClient) { self.client = client }

    /// Looks up the stream that a table writes to.
    ///
    /// - Throws: `SourceError`, `.notFound` where there is no such table or its stream is off; the message
    ///   says what to do.
    package func stream(of table: String) async throws(SourceError) -> Stream {
        let answer = try await describe(table)
        guard let name = answer.latestStreamArn, answer.streamSpecification?.streamEnabled == true
        else {
            throw SourceError(
                .notFound, operation: Self.operation,
                message: "the table \(table) has no stream. To switch one on: aws dynamodb "
                    + "update-table --region \(client.region) --table-name \(table) "
                    + "--stream-specification StreamEnabled=true,StreamViewType=NEW_IMAGE")
        }
        guard let arn = StreamARN(name) else {
            throw SourceError(
                .unavailable, operation: Self.operation,
                message: "the table \(table) names a stream that is none: "
                    + name.line(bytesMax: 200))
        }
        return Stream(
            arn: arn,
            viewType: answer.streamSpecification?.streamViewType.flatMap(StreamViewType.init),
            keyAttributes: answer.keySchema.names)
    }

    private func describe(_ table: String) async throws(SourceError) -> DescribeTable.Table {
        do {
            let output: DescribeTable.Output = try await client.call(
                Self.operation, DescribeTable.Input(tableName: table))
            return output.table
        } catch {
            let advice: String
            switch error.kind {
            case .notFound:
                advice =
                    "there is no table \(table) in \(client.region): check its name, the region and "
                    + "the account of the credentials"
            case .denied where error.code != nil:
                advice =
                    "\(error.message) (looking up the stream of \(table) needs "
                    + "dynamodb:DescribeTable; a stream given by its arn does not)"
            default: throw error
            }
            throw SourceError(
                error.kind, operation: error.operation, code: error.code, message: advice,
                requestID: error.requestID)
        }
    }
}

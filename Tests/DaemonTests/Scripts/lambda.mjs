// What the function behind an event source mapping would have left in Redis: reads a table's stream from its
// beginning and runs the thirty lines that shardwalk replaces. Prints one JSON object: keys, and the values as the
// texts they are.
//
// Standard input: {"endpoint", "table", "positions"}. The endpoint does not check signatures. With positions, a
// shard is read as far as its entry says ({"position", "sequenceNumber"}), and not at all where it has none.
import { readFileSync } from "node:fs";

const { endpoint, table, positions } = JSON.parse(readFileSync(0, "utf8"));

async function call(target, body) {
  const response = await fetch(endpoint, {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": target,
      authorization:
        "AWS4-HMAC-SHA256 Credential=LOCALSTREAMS/20260101/us-east-1/dynamodb/aws4_request, " +
        "SignedHeaders=host, Signature=0",
    },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${target}: ${response.status} ${await response.text()}`);
  return response.json();
}

const streams = "DynamoDBStreams_20120810.";
const cache = new Map();

function handler(event) {
  for (const record of event.Records) {
    const key = record.dynamodb.Keys.id.S;
    if (record.eventName === "REMOVE") cache.delete(key);
    else cache.set(key, JSON.stringify(record.dynamodb.NewImage));
  }
}

/** Whether a record lies within what a position says is applied. */
function isApplied(record, { position, sequenceNumber }) {
  if (position === "SHARD_END") return true;
  return position === "AFTER_SEQUENCE_NUMBER" && BigInt(record.dynamodb.SequenceNumber) <= BigInt(sequenceNumber);
}

const { Table } = await call("DynamoDB_20120810.DescribeTable", { TableName: table });
const StreamArn = Table.LatestStreamArn;
const shards = [];
for (let start; ; ) {
  const { StreamDescription } = await call(streams + "DescribeStream", {
    StreamArn,
    ...(start && { ExclusiveStartShardId: start }),
  });
  shards.push(...StreamDescription.Shards);
  start = StreamDescription.LastEvaluatedShardId;
  if (!start) break;
}
// Ids sort by age, so parents come before their children.
shards.sort((a, b) => (a.ShardId < b.ShardId ? -1 : 1));
for (const { ShardId } of shards) {
  const limit = positions ? (positions[ShardId] ?? {}) : { position: "SHARD_END" };
  let { ShardIterator } = await call(streams + "GetShardIterator", {
    StreamArn,
    ShardId,
    ShardIteratorType: "TRIM_HORIZON",
  });
  for (let empty = 0; ShardIterator && empty < 20; ) {
    const page = await call(streams + "GetRecords", { ShardIterator });
    empty = page.Records.length ? 0 : empty + 1;
    handler({ Records: page.Records.filter((record) => isApplied(record, limit)) });
    ShardIterator = page.NextShardIterator;
  }
}
console.log(JSON.stringify(Object.fromEntries(cache)));

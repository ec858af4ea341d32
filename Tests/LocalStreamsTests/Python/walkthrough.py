"""Writes to a table, and reads every change back from its stream."""

import sys

from testing_clients import client

url = sys.argv[1]
tables, streams = client("dynamodb", url), client("dynamodbstreams", url)
tables.create_table(
    TableName="orders",
    BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
)
for number in range(100):
    tables.put_item(
        TableName="orders", Item={"id": {"S": f"key-{number % 40}"}, "n": {"N": str(number)}}
    )
arn = tables.describe_table(TableName="orders")["Table"]["LatestStreamArn"]
shards = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
assert len(shards) == 4, shards
seen = []
for shard in shards:
    iterator = streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    for _ in range(4):
        page = streams.get_records(ShardIterator=iterator)
        seen += [record["dynamodb"]["NewImage"] for record in page["Records"]]
        iterator = page["NextShardIterator"]
numbers = sorted(int(image["n"]["N"]) for image in seen)
assert numbers == list(range(100)), numbers
last = {}
for image in seen:
    last[image["id"]["S"]] = image
items = tables.scan(TableName="orders")["Items"]
assert sorted(map(str, items)) == sorted(map(str, last.values()))

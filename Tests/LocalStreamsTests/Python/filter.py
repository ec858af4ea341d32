"""Endpoints that ignore or refuse a filter of shards."""

import sys

from testing_clients import client, create_table, refused

url, support = sys.argv[1:]
tables, streams = client("dynamodb", url), client("dynamodbstreams", url)
arn = create_table(tables, "orders")["LatestStreamArn"]
shards = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
request = {
    "StreamArn": arn,
    "ShardFilter": {"Type": "CHILD_SHARDS", "ShardId": shards[0]["ShardId"]},
}
if support == "ignored":
    assert streams.describe_stream(**request)["StreamDescription"]["Shards"] == shards
else:
    with refused("ValidationException", "ShardFilter"):
        streams.describe_stream(**request)

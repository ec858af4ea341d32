"""Every fault once, in the order of the script that the emulator was started with."""

import contextlib
import sys
import time
import zlib

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ResponseStreamingError,
)
from testing_clients import all_records, all_shards, client, create_table, refused

url, trickle = sys.argv[1], float(sys.argv[2])
tables, streams = client("dynamodb", url), client("dynamodbstreams", url)
bare = boto3.client(
    "dynamodb",
    endpoint_url=url,
    region_name="us-east-1",
    aws_access_key_id="LOCALSTREAMS",
    aws_secret_access_key="local-secret",
    config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
)
seen = {}


def remember(response_dict, **_):
    seen.update(response_dict)


bare.meta.events.register("before-parse", remember)


@contextlib.contextmanager
def broken(*kinds):
    """Expects an answer that does not arrive whole."""
    try:
        yield
    except kinds:
        return
    raise AssertionError("the answer arrived")


# In the order of the script, each once.
with broken(ClientError):
    bare.list_tables()
assert seen["status_code"] == 500 and b"#InternalServerError" in seen["body"], seen
with broken(ClientError, BotoCoreError):
    bare.list_tables()
assert seen["status_code"] == 503 and seen["body"].startswith(b"<html>"), seen
assert "x-amz-crc32" not in seen["headers"]
with broken(ConnectionClosedError, ConnectionError):
    bare.list_tables()
with broken(ResponseStreamingError, ConnectionClosedError, ConnectionError):
    bare.list_tables()
begun = time.monotonic()
assert bare.list_tables()["TableNames"] == []
assert time.monotonic() - begun >= trickle * 0.9
bare.list_tables()
assert int(seen["headers"]["x-amz-crc32"]) != zlib.crc32(seen["body"])
with refused("ThrottlingException", "Rate exceeded"):
    tables.list_tables()
with refused("ExpiredTokenException", "expired"):
    tables.list_tables()
with refused("InvalidSignatureException", "Signature expired"):
    tables.list_tables()
with refused("AccessDeniedException", "dynamodb:ListTables"):
    tables.list_tables()
assert tables.list_tables()["TableNames"] == []

# Reading a shard.
arn = create_table(tables, "orders")["LatestStreamArn"]
shard = all_shards(streams, arn)[0]["ShardId"]
place = {"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
for code in ("TrimmedDataAccessException", "ResourceNotFoundException"):
    with refused(code):
        streams.get_shard_iterator(**place)
iterator = streams.get_shard_iterator(**place)["ShardIterator"]
for code in (
    "ExpiredIteratorException",
    "TrimmedDataAccessException",
    "ResourceNotFoundException",
):
    with refused(code):
        streams.get_records(ShardIterator=iterator)
assert streams.get_records(ShardIterator=iterator)["Records"] == []

# Writes whose answers are lost: before they were made, and after.
key = {"id": {"S": "a"}}
for number, is_made in (("1", False), ("2", True), ("3", False), ("4", True), ("5", True)):
    with broken(ClientError, BotoCoreError, ConnectionError):
        bare.put_item(TableName="orders", Item={**key, "n": {"N": number}})
    found = tables.get_item(TableName="orders", Key=key).get("Item", {}).get("n", {}).get("N")
    assert (found == number) == is_made, (number, found)
images = [record["dynamodb"]["NewImage"]["n"]["N"] for record in all_records(streams, arn)]
assert images == ["2", "4", "5"], images

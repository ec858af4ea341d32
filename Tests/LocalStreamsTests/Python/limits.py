"""Budgets of calls: one a second each; what comes faster is refused, and served again later."""

import sys
import time

from botocore.exceptions import ClientError
from testing_clients import client, create_table

url = sys.argv[1]
tables, streams = client("dynamodb", url), client("dynamodbstreams", url)
arn = create_table(tables, "orders")["LatestStreamArn"]


def refusals(call, **parameters):
    """Calls until one is refused and then until one is served; the errors on the way."""
    errors, deadline = [], time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            call(**parameters)
            if errors:
                return errors
        except ClientError as error:
            errors.append(error.response["Error"])
    raise AssertionError("no call was refused and then served")


def check(errors, code):
    for error in errors:
        assert error["Code"] == code and "Rate exceeded" in error["Message"], error


check(refusals(streams.describe_stream, StreamArn=arn), "ThrottlingException")
check(refusals(streams.list_streams), "ThrottlingException")
shards, deadline = None, time.monotonic() + 60
while shards is None and time.monotonic() < deadline:
    try:
        shards = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    except ClientError as error:
        check([error.response["Error"]], "ThrottlingException")
iterator = streams.get_shard_iterator(
    StreamArn=arn, ShardId=shards[0]["ShardId"], ShardIteratorType="LATEST"
)["ShardIterator"]
check(refusals(streams.get_records, ShardIterator=iterator), "LimitExceededException")

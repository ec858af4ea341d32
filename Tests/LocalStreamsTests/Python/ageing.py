"""What time does to a stream: shards roll over by themselves, iterators expire, records are trimmed.

The emulator's clock runs at 9,000 times the speed of ours: fifteen minutes are a tenth of a second.
"""

import datetime
import email.utils
import sys
import time

from botocore.exceptions import ClientError
from testing_clients import all_shards, client, create_table

url = sys.argv[1]
tables, streams = client("dynamodb", url), client("dynamodbstreams", url)
create_table(tables, "orders")
arn = tables.describe_table(TableName="orders")["Table"]["LatestStreamArn"]


def eventually(condition):
    """Asks again and again until something comes true; its value."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError("it never came true")


def code(call, **parameters):
    """The code of the error that a call is answered with; nothing where it is served."""
    try:
        call(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def fresh_iterator():
    """An iterator for a shard that outlives it: the youngest one; on a busy machine others may be gone."""
    for shard in reversed(all_shards(streams, arn)):
        try:
            return streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
        except streams.exceptions.ResourceNotFoundException:
            pass
    return None


iterator = eventually(fresh_iterator)
refusal = eventually(lambda: code(streams.get_records, ShardIterator=iterator))
assert refusal == "ExpiredIteratorException", refusal

for number in range(20):
    tables.put_item(TableName="orders", Item={"id": {"S": f"k{number}"}})


def rolled():
    """A closed shard and the child that went on."""
    shards = all_shards(streams, arn)
    for parent in shards:
        if "EndingSequenceNumber" not in parent["SequenceNumberRange"]:
            continue
        listed = streams.describe_stream(
            StreamArn=arn, ShardFilter={"Type": "CHILD_SHARDS", "ShardId": parent["ShardId"]}
        )["StreamDescription"]["Shards"]
        if listed:
            return parent, listed
    return None


parent, children = eventually(rolled)
assert len(children) == 1 and children[0]["ParentShardId"] == parent["ShardId"]
end = int(parent["SequenceNumberRange"]["EndingSequenceNumber"])
assert int(children[0]["SequenceNumberRange"]["StartingSequenceNumber"]) > end

refusal = eventually(
    lambda: code(
        streams.get_shard_iterator,
        StreamArn=arn,
        ShardId=parent["ShardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=parent["SequenceNumberRange"]["StartingSequenceNumber"],
    )
)
assert refusal in ("TrimmedDataAccessException", "ResourceNotFoundException"), refusal


def orphans():
    """Shards whose parent is listed no more."""
    shards = all_shards(streams, arn)
    ids = {shard["ShardId"] for shard in shards}
    return [s for s in shards if "ParentShardId" in s and s["ParentShardId"] not in ids]


eventually(orphans)

# Signatures go by the real clock, and so does the header that clients correct theirs by.
answer = streams.describe_stream(StreamArn=arn)
date = email.utils.parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
now = datetime.datetime.now(datetime.timezone.utc)
assert abs((date - now).total_seconds()) < 60, (date, now)
newest = answer["StreamDescription"]["Shards"][-1]["ShardId"].split("-")[1]
assert int(newest) / 1000 - now.timestamp() > 60 * 60, "the emulator's clock is hours ahead"

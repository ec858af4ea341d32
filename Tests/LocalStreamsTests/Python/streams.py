"""Records: what each view carries, which writes leave one, their sizes and order; iterators, pages and
what is refused."""

import sys

from testing_clients import all_records, all_shards, client, create_table, refused

url = sys.argv[1]
tables, streams = client("dynamodb", url), client("dynamodbstreams", url)


def story(view, name):
    """One item's life under a view; its records."""
    create_table(tables, name, view=view)
    key, arn = {"id": {"S": "id_value_1"}}, None
    one = {**key, "n": {"N": "42"}, "set": {"SS": ["a", "b"]}}
    tables.put_item(TableName=name, Item=key)
    tables.put_item(TableName=name, Item=key)  # changes nothing
    tables.put_item(TableName=name, Item=one)
    tables.put_item(
        TableName=name, Item={**key, "n": {"N": "42.0"}, "set": {"SS": ["b", "a"]}}
    )  # the same item
    tables.delete_item(TableName=name, Key=key)
    tables.delete_item(TableName=name, Key=key)  # nothing there
    arn = tables.describe_table(TableName=name)["Table"]["LatestStreamArn"]
    return key, one, all_records(streams, arn)


for view, name in [
    ("KEYS_ONLY", "keys"),
    ("NEW_IMAGE", "new"),
    ("OLD_IMAGE", "old"),
    ("NEW_AND_OLD_IMAGES", "both"),
]:
    key, one, records = story(view, name)
    assert [r["eventName"] for r in records] == ["INSERT", "MODIFY", "REMOVE"], records
    images = [(None, key), (key, one), (one, None)]
    for record, (old, new) in zip(records, images):
        change = record["dynamodb"]
        assert record["eventSource"] == "aws:dynamodb" and record["awsRegion"] == "us-east-1"
        assert len(record["eventID"]) == 32 and record["eventVersion"] == "1.1"
        assert "userIdentity" not in record
        assert change["Keys"] == key and change["StreamViewType"] == view
        assert change["ApproximateCreationDateTime"].microsecond == 0
        expected_new = new if view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES") else None
        expected_old = old if view in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES") else None
        for member, expected in (("NewImage", expected_new), ("OldImage", expected_old)):
            found = change.get(member)
            if found and "set" in found:
                found["set"]["SS"].sort()
            assert found == expected, (view, member, found)
    assert len({record["eventID"] for record in records}) == 3

# Sizes as recorded on AWS.
create_table(tables, "sizes", view="NEW_IMAGE")
arn = tables.describe_table(TableName="sizes")["Table"]["LatestStreamArn"]
for item, size in [
    ({"id": {"S": "test"}}, 12),
    ({"id": {"S": "id_value_1"}}, 24),
    ({"id": {"S": "id_value_2"}, "numericFilter": {"N": "42"}}, 39),
]:
    tables.put_item(TableName="sizes", Item=item)
    sizes = {
        r["dynamodb"]["Keys"]["id"]["S"]: r["dynamodb"]["SizeBytes"]
        for r in all_records(streams, arn)
    }
    assert sizes[item["id"]["S"]] == size, (item, sizes)

# Shards, pages and iterators.
create_table(tables, "orders")
arn = tables.describe_table(TableName="orders")["Table"]["LatestStreamArn"]
for number in range(60):
    tables.put_item(TableName="orders", Item={"id": {"S": f"k{number}"}})
shards = all_shards(streams, arn)
assert len(shards) == 4 and shards == all_shards(streams, arn, limit=1)
assert all("EndingSequenceNumber" not in shard["SequenceNumberRange"] for shard in shards)
assert [s["ShardId"] for s in shards] == sorted(s["ShardId"] for s in shards)
past = streams.describe_stream(StreamArn=arn, ExclusiveStartShardId=shards[-1]["ShardId"])
assert past["StreamDescription"]["Shards"] == []
unknown_shard = "shardId-00000009999999999999-0123abcd"
page = streams.describe_stream(StreamArn=arn, ExclusiveStartShardId=unknown_shard)
assert page["StreamDescription"]["Shards"] == []
page = streams.describe_stream(StreamArn=arn, ExclusiveStartShardId="shardId-" + "0" * 20 + "-0")
assert page["StreamDescription"]["Shards"] == shards
page = streams.describe_stream(
    StreamArn=arn, ShardFilter={"Type": "CHILD_SHARDS", "ShardId": shards[0]["ShardId"]}
)
assert page["StreamDescription"]["Shards"] == []

shard = shards[0]["ShardId"]


def iterator(kind, number=None):
    more = {"SequenceNumber": number} if number else {}
    return streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard, ShardIteratorType=kind, **more
    )["ShardIterator"]


def numbers(position, **parameters):
    found, empty = [], 0
    while empty < 3:
        page = streams.get_records(ShardIterator=position, **parameters)
        found += [record["dynamodb"]["SequenceNumber"] for record in page["Records"]]
        empty = 0 if page["Records"] else empty + 1
        position = page["NextShardIterator"]
    return found


everything = numbers(iterator("TRIM_HORIZON"))
assert len(everything) > 5 and [int(n) for n in everything] == sorted(map(int, everything))
assert all(int(number) > 1 << 64 for number in everything)
assert numbers(iterator("TRIM_HORIZON"), Limit=2) == everything
assert numbers(iterator("AT_SEQUENCE_NUMBER", everything[3])) == everything[3:]
assert numbers(iterator("AFTER_SEQUENCE_NUMBER", everything[3])) == everything[4:]
assert numbers(iterator("AFTER_SEQUENCE_NUMBER", everything[-1])) == []
start = shards[0]["SequenceNumberRange"]["StartingSequenceNumber"]
assert numbers(iterator("AT_SEQUENCE_NUMBER", start)) == everything
assert numbers(iterator("LATEST")) == []
assert iterator("LATEST").startswith(arn + "|1|")

# Refused.
unknown = arn.replace("orders", "unknown")
missing = ("ResourceNotFoundException", f"Requested resource not found: Stream: {unknown} not found")
with refused(*missing):
    streams.describe_stream(StreamArn=unknown)
with refused(*missing):
    streams.get_shard_iterator(
        StreamArn=unknown, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )
with refused("ResourceNotFoundException", "Shard does not exist"):
    streams.get_shard_iterator(
        StreamArn=arn, ShardId=unknown_shard, ShardIteratorType="TRIM_HORIZON"
    )
for garbage in ["", "garbage", "arn:aws:dynamodb:us-east-1:000000000000:table/orders", "x" * 40]:
    with refused("ValidationException", "streamArn"):
        streams.describe_stream(StreamArn=garbage)
    with refused("ValidationException", "streamArn"):
        streams.get_shard_iterator(
            StreamArn=garbage, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )
for limit in (0, -1, 101):
    with refused("ValidationException", "limit"):
        streams.describe_stream(StreamArn=arn, Limit=limit)
    with refused("ValidationException", "limit"):
        streams.list_streams(Limit=limit)
for limit in (0, -1, 1001):
    with refused("ValidationException", "limit"):
        streams.get_records(ShardIterator=iterator("TRIM_HORIZON"), Limit=limit)
for garbage in ["garbage", iterator("LATEST")[:-2], arn + "|1|YWJj", iterator("LATEST") + "A"]:
    with refused("ValidationException", "Invalid ShardIterator"):
        streams.get_records(ShardIterator=garbage)
with refused("ValidationException", "shardIterator"):
    streams.get_records(ShardIterator="")
with refused("ValidationException", "Value null at 'shardIterator'"):
    streams.get_records()
with refused("ValidationException", "2 validation errors detected", "limit", "shardIterator"):
    streams.get_records(Limit=0)
for parameters in [
    {"ShardIteratorType": "AT_SEQUENCE_NUMBER"},
    {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER"},
    {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": None},
    {"ShardIteratorType": "TRIM_HORIZON", "SequenceNumber": everything[0]},
    {"ShardIteratorType": "LATEST", "SequenceNumber": everything[0]},
    {"ShardIteratorType": "AT_TIMESTAMP"},
    {},
    {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": "123"},
    {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": "1" * 41},
    {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": "x" * 21},
]:
    with refused("ValidationException"):
        streams.get_shard_iterator(StreamArn=arn, ShardId=shard, **parameters)
with refused("ValidationException", "shardId"):
    streams.get_shard_iterator(StreamArn=arn, ShardId="short", ShardIteratorType="LATEST")
with refused("ValidationException", "CHILD_SHARDS"):
    streams.describe_stream(StreamArn=arn, ShardFilter={"Type": "ALL", "ShardId": shard})
with refused("SerializationException"):
    streams.describe_stream(StreamArn=["a list"])

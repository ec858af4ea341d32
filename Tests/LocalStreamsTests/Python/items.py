"""Items: every type of value, written, read, replaced, removed and scanned; and what is refused."""

import random
import sys
from decimal import Decimal

from testing_clients import all_records, client, create_table, refused, send_raw

url = sys.argv[1]
tables, streams = client("dynamodb", url), client("dynamodbstreams", url)
create_table(tables, "items")
arn = tables.describe_table(TableName="items")["Table"]["LatestStreamArn"]


def kept(value):
    """What becomes of a value that is stored under a new key."""
    key = {"id": {"S": str(random.random())}}
    tables.put_item(TableName="items", Item={**key, "v": value})
    item = tables.get_item(TableName="items", Key=key)["Item"]
    assert item["id"] == key["id"]
    return item["v"]


def nested(levels, leaf):
    """A value inside of lists and maps in turn."""
    for level in range(levels):
        leaf = {"L": [leaf]} if level % 2 else {"M": {"in": leaf}}
    return leaf


# Values that come back as they were.
for value in [
    {"S": ""},
    {"S": "plain"},
    {"S": "\"quoted\" \\ / \b\f\n\r\t\x00\x1f\x7f\u2028"},
    {"S": "é e\u0301 ß 漢字 😀 \U0010ffff"},
    {"B": b""},
    {"B": bytes(range(256))},
    {"BOOL": True},
    {"BOOL": False},
    {"NULL": True},
    {"L": []},
    {"M": {}},
    {"L": [{"S": "a"}, {"N": "1"}, {"L": [{"M": {}}]}, {"NULL": True}]},
    {"M": {"": {"S": "empty name"}, "é": {"N": "1"}, "e\u0301": {"N": "2"}}},
    nested(31, {"S": "deep"}),
]:
    assert kept(value) == value, (value, kept(value))

# Sets have no order and no duplicates; texts that look the same are two texts.
for kind, values in [
    ("SS", ["b", "a", "é", "e\u0301", ""]),
    ("NS", ["3", "-1", "0.5", "1000"]),
    ("BS", [b"\x00", b"", b"\xff"]),
]:
    assert sorted(kept({kind: values})[kind]) == sorted(values)

# Numbers: the same number, without superfluous zeros.
for text in [
    "0", "-0", "00", "0.0", "007", "1.50", "100", "1e3", "1E-3", "+5", "-12.340e1", ".5", "5.",
    "9" * 38, "0." + "0" * 90 + "1" * 38, "1E-130", "9." + "9" * 37 + "E125", "-1E125",
    "123456789012345678901234567890.12345678",
]:
    found = kept({"N": text})["N"]
    assert Decimal(found) == Decimal(text), (text, found)
    digits = found.lstrip("-")
    assert "E" not in digits.upper() and found != "-0", (text, found)
    assert not (digits.startswith("0") and digits != "0" and not digits.startswith("0.")), found
    assert not ("." in digits and digits.endswith("0")), found
assert kept({"N": "1e3"})["N"] == "1000"
assert sorted(kept({"NS": ["1.0", "2e1"]})["NS"]) == ["1", "20"]

# Values that are refused.
for value, *words in [
    ({}, "Supplied AttributeValue is empty"),
    ({"S": "a", "N": "1"}, "more than one datatypes"),
    ({"NULL": False}, "Null attribute value types must have the value of true"),
    ({"SS": []}, "may not be empty"),
    ({"NS": []}, "may not be empty"),
    ({"BS": []}, "should not be empty"),
    ({"SS": ["a", "a"]}, "Input collection [a, a] contains duplicates."),
    ({"NS": ["1", "1.0"]}, "contains duplicates"),
    ({"N": ""}, "cannot be converted to a numeric value"),
    ({"N": "one"}, "cannot be converted to a numeric value: one"),
    ({"N": "1e"}, "cannot be converted"),
    ({"N": "NaN"}, "cannot be converted"),
    ({"N": "Infinity"}, "cannot be converted"),
    ({"N": "1E126"}, "Number overflow"),
    ({"N": "1E-131"}, "Number underflow"),
    ({"N": "1" * 39}, "more than 38 significant digits"),
    (nested(33, {"S": "deep"}), "Nesting Levels have exceeded supported limits"),
]:
    with refused("ValidationException", *words):
        tables.put_item(TableName="items", Item={"id": {"S": "refused"}, "v": value})
for value, name in [
    ('{"X":"a"}', "ValidationException"),
    ('{"S":null}', "ValidationException"),
    ('{"S":1}', "SerializationException"),
    ('{"N":1}', "SerializationException"),
    ('{"B":"no base64"}', "SerializationException"),
    ('{"BOOL":"true"}', "SerializationException"),
    ('{"NULL":"true"}', "SerializationException"),
    ('{"L":{}}', "SerializationException"),
    ('{"M":[]}', "SerializationException"),
    ('{"SS":[1]}', "SerializationException"),
    ('{"SS":"a"}', "SerializationException"),
    ('"text"', "SerializationException"),
]:
    body = '{"TableName":"items","Item":{"id":{"S":"refused"},"v":' + value + "}}"
    status, answer = send_raw(url, "DynamoDB_20120810.PutItem", body)
    assert status == 400 and answer["__type"].endswith("#" + name), (value, answer)
assert "Item" not in tables.get_item(TableName="items", Key={"id": {"S": "refused"}})

# Keys that are refused.
for item, *words in [
    ({}, "Missing the key id in the item"),
    ({"other": {"S": "a"}}, "Missing the key id in the item"),
    ({"id": {"N": "1"}}, "Type mismatch for key id expected: S actual: N"),
    ({"id": {"NULL": True}}, "Type mismatch for key id"),
    ({"id": {"S": ""}}, "cannot contain an empty string value. Key: id"),
    ({"id": {"S": "x" * 2049}}, "Size of hashkey has exceeded"),
    ({"id": {"S": "large"}, "v": {"S": "x" * 409_600}}, "Item size has exceeded"),
]:
    with refused("ValidationException", *words):
        tables.put_item(TableName="items", Item=item)
tables.put_item(TableName="items", Item={"id": {"S": "é" * 1024}})
for key in [{}, {"id": {"N": "1"}}, {"other": {"S": "a"}}, {"id": {"S": "a"}, "b": {"S": "b"}}]:
    for call in (tables.get_item, tables.delete_item):
        with refused("ValidationException", "The provided key element does not match the schema"):
            call(TableName="items", Key=key)
with refused("ValidationException", "empty string value. Key: id"):
    tables.get_item(TableName="items", Key={"id": {"S": ""}})
with refused("ValidationException", "Value null at 'item'"):
    tables.put_item(TableName="items")
for call in (tables.get_item, tables.delete_item):
    with refused("ResourceNotFoundException", "Requested resource not found"):
        call(TableName="unknown", Key={"id": {"S": "a"}})
with refused("ValidationException", "LocalStreams does not support ConditionExpression"):
    tables.put_item(
        TableName="items", Item={"id": {"S": "a"}}, ConditionExpression="attribute_exists(id)"
    )
with refused("ValidationException", "Return values set to invalid value"):
    tables.put_item(TableName="items", Item={"id": {"S": "a"}}, ReturnValues="ALL_NEW")

# What was there before.
before = {"id": {"S": "old"}, "v": {"N": "1"}}
assert "Attributes" not in tables.put_item(
    TableName="items", Item=before, ReturnValues="ALL_OLD"
)
after = {"id": {"S": "old"}, "v": {"N": "2"}}
assert "Attributes" not in tables.put_item(TableName="items", Item=after, ReturnValues="NONE")
answer = tables.delete_item(TableName="items", Key={"id": {"S": "old"}}, ReturnValues="ALL_OLD")
assert answer["Attributes"] == after
answer = tables.delete_item(TableName="items", Key={"id": {"S": "old"}}, ReturnValues="ALL_OLD")
assert "Attributes" not in answer

# Batches.
create_table(tables, "batch", partition="N", sort="S")


def key(number):
    return {"id": {"N": str(number // 10)}, "at": {"S": f"{number % 10}"}}


def put(number):
    return {"PutRequest": {"Item": {**key(number), "v": {"N": str(number)}}}}


def delete(number):
    return {"DeleteRequest": {"Key": key(number)}}


for first in range(0, 100, 25):
    requests = [put(number) for number in range(first, first + 25)]
    answer = tables.batch_write_item(RequestItems={"batch": requests})
    assert answer["UnprocessedItems"] == {}
answer = tables.batch_write_item(
    RequestItems={
        "batch": [delete(0), put(100), delete(999)],
        "items": [{"PutRequest": {"Item": {"id": {"S": "from a batch"}}}}],
    }
)
assert "Item" not in tables.get_item(TableName="batch", Key=key(0))
assert tables.get_item(TableName="batch", Key=key(100))["Item"]["v"] == {"N": "100"}
assert "Item" in tables.get_item(TableName="items", Key={"id": {"S": "from a batch"}})
for requests, *words in [
    ({}, "requestItems"),
    ({"batch": [put(number) for number in range(26)]}, "Too many items"),
    ({"batch": [put(1), delete(1)]}, "contains duplicates"),
    ({"batch": [{"PutRequest": {"Item": {"id": {"N": "1"}}}}]}, "Missing the key at"),
    ({"batch": [{**put(1), **delete(2)}]}, "more than one"),
]:
    with refused("ValidationException", *words):
        tables.batch_write_item(RequestItems=requests)
with refused("ResourceNotFoundException"):
    tables.batch_write_item(RequestItems={"unknown": [put(1)]})
# Two spellings of one number are one key.
with refused("ValidationException", "contains duplicates"):
    tables.batch_write_item(
        RequestItems={
            "batch": [
                {"DeleteRequest": {"Key": {"id": {"N": "1"}, "at": {"S": "x"}}}},
                {"DeleteRequest": {"Key": {"id": {"N": "1.0"}, "at": {"S": "x"}}}},
            ]
        }
    )

# Scans: everything once, sort keys in order, in pages of any size and in segments.
numbers = set(range(1, 101))
for size in (1, 7, 100, 1000):
    paginator = tables.get_paginator("scan")
    pages = list(paginator.paginate(TableName="batch", PaginationConfig={"PageSize": size}))
    found = [item for page in pages for item in page["Items"]]
    assert sorted(int(item["v"]["N"]) for item in found) == sorted(numbers), size
    for partition in range(11):
        sorts = [item["at"]["S"] for item in found if item["id"]["N"] == str(partition)]
        assert sorts == sorted(sorts)
assert len(pages) == 1
segments = [
    [item["v"]["N"] for page in paginator.paginate(
        TableName="batch", Segment=segment, TotalSegments=3, PaginationConfig={"PageSize": 5}
    ) for item in page["Items"]]
    for segment in range(3)
]
assert sorted(int(v) for segment in segments for v in segment) == sorted(numbers)
assert max(map(len, segments)) < 100
counted = tables.scan(TableName="batch", Select="COUNT")
assert (counted["Count"], counted["ScannedCount"]) == (100, 100) and "Items" not in counted
for index in range(7):
    tables.put_item(TableName="batch", Item={**key(200 + index), "t": {"S": "x" * 300_000}})
page = tables.scan(TableName="batch")
assert "LastEvaluatedKey" in page and len(page["Items"]) < 107
assert len(list(paginator.paginate(TableName="batch"))) > 1
for parameters, *words in [
    ({"Limit": 0}, "greater than or equal to 1"),
    ({"Segment": 1}, "TotalSegments"),
    ({"TotalSegments": 2}, "Segment"),
    ({"Segment": 2, "TotalSegments": 2}, "zero-based"),
    ({"ExclusiveStartKey": {"id": {"N": "1"}}}, "does not match the schema"),
    ({"FilterExpression": "v = :v"}, "LocalStreams does not support"),
    ({"Select": "SOME"}, "enum value set"),
]:
    with refused("ValidationException", *words):
        tables.scan(TableName="batch", **parameters)

# Sort keys of numbers and bytes sort as such.
create_table(tables, "sorted", sort="N")
values = ["-1E125", "-20", "-3", "-0.5", "-1E-130", "0", "1E-130", "0.5", "3", "20", "1E125"]
for value in random.sample(values, len(values)):
    tables.put_item(TableName="sorted", Item={"id": {"S": "a"}, "at": {"N": value}})
found = [Decimal(item["at"]["N"]) for item in tables.scan(TableName="sorted")["Items"]]
assert found == [Decimal(value) for value in values], found
create_table(tables, "bytes", sort="B", partition="B")
values = [b"\x00", b"\x00\x00", b"\x7f", b"\x80", b"\xff"]
for value in random.sample(values, len(values)):
    tables.put_item(TableName="bytes", Item={"id": {"B": b"\xfe"}, "at": {"B": value}})
assert [item["at"]["B"] for item in tables.scan(TableName="bytes")["Items"]] == values

# Nothing that was refused left a record.
assert all(
    record["dynamodb"]["Keys"]["id"]["S"] != "refused" for record in all_records(streams, arn)
)

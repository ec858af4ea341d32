"""Tables and their streams: made, shown, listed, switched on and off, and removed."""

import sys

from testing_clients import client, create_table, refused

url = sys.argv[1]
tables, streams = client("dynamodb", url), client("dynamodbstreams", url)

# Made and shown.
made = create_table(tables, "plain", view=None)
assert made["TableStatus"] == "CREATING"
assert "LatestStreamArn" not in made and "StreamSpecification" not in made
made = create_table(tables, "both", view="NEW_IMAGE", partition="N", sort="B")
shown = tables.describe_table(TableName="both")["Table"]
assert shown["TableStatus"] == "ACTIVE"
assert shown["KeySchema"] == [
    {"AttributeName": "id", "KeyType": "HASH"},
    {"AttributeName": "at", "KeyType": "RANGE"},
]
assert {d["AttributeName"]: d["AttributeType"] for d in shown["AttributeDefinitions"]} == {
    "id": "N",
    "at": "B",
}
assert shown["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
assert shown["LatestStreamArn"] == f"{shown['TableArn']}/stream/{shown['LatestStreamLabel']}"
assert made["LatestStreamArn"] == shown["LatestStreamArn"]
tables.get_waiter("table_exists").wait(TableName="both")
tables.create_table(
    TableName="provisioned",
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    ProvisionedThroughput={"ReadCapacityUnits": 7, "WriteCapacityUnits": 8},
)
units = tables.describe_table(TableName="provisioned")["Table"]["ProvisionedThroughput"]
assert (units["ReadCapacityUnits"], units["WriteCapacityUnits"]) == (7, 8)

# Listed, page by page.
names = ["both", "plain", "provisioned"]
assert tables.list_tables()["TableNames"] == names
pages = list(tables.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 1}))
assert [name for page in pages for name in page["TableNames"]] == names
assert len(pages) == 3

# Streams: on, off, on again under another name.
first = tables.update_table(
    TableName="plain",
    StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
)["TableDescription"]
assert first["TableStatus"] == "UPDATING"
arn = first["LatestStreamArn"]
description = streams.describe_stream(StreamArn=arn)["StreamDescription"]
assert description["StreamStatus"] == "ENABLED"
assert description["StreamViewType"] == "KEYS_ONLY"
assert description["TableName"] == "plain"
assert description["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
assert description["StreamLabel"] == first["LatestStreamLabel"]
with refused("ValidationException", "already enabled"):
    tables.update_table(
        TableName="plain",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
off = tables.update_table(TableName="plain", StreamSpecification={"StreamEnabled": False})
assert "StreamSpecification" not in off["TableDescription"]
assert off["TableDescription"]["LatestStreamArn"] == arn
description = streams.describe_stream(StreamArn=arn)["StreamDescription"]
assert description["StreamStatus"] == "DISABLED"
assert all("EndingSequenceNumber" in s["SequenceNumberRange"] for s in description["Shards"])
with refused("ValidationException", "already disabled"):
    tables.update_table(TableName="plain", StreamSpecification={"StreamEnabled": False})
second = tables.update_table(
    TableName="plain",
    StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
)["TableDescription"]["LatestStreamArn"]
assert second != arn
listed = streams.list_streams(TableName="plain")["Streams"]
assert [stream["StreamArn"] for stream in listed] == [arn, second]
pages, start = [], {}
while True:
    page = streams.list_streams(Limit=1, **start)
    pages += [stream["TableName"] for stream in page["Streams"]]
    if "LastEvaluatedStreamArn" not in page:
        break
    start = {"ExclusiveStartStreamArn": page["LastEvaluatedStreamArn"]}
assert pages == ["both", "plain", "plain"], pages
assert streams.list_streams(TableName="unknown")["Streams"] == []

# Removed: the stream stays, closed.
removed = tables.delete_table(TableName="plain")["TableDescription"]
assert removed["TableStatus"] == "DELETING"
tables.get_waiter("table_not_exists").wait(TableName="plain")
description = streams.describe_stream(StreamArn=second)["StreamDescription"]
assert description["StreamStatus"] == "DISABLED"
again = create_table(tables, "plain")
assert again["LatestStreamArn"] not in (arn, second)

# Refused.
missing = ("ResourceNotFoundException", "Requested resource not found: Table: unknown not found")
with refused(*missing):
    tables.describe_table(TableName="unknown")
with refused(*missing):
    tables.delete_table(TableName="unknown")
with refused(*missing):
    tables.update_table(TableName="unknown", StreamSpecification={"StreamEnabled": False})
with refused("ResourceInUseException", "Table already exists: both"):
    create_table(tables, "both")
with refused("ValidationException", "'a'", "greater than or equal to 3"):
    tables.describe_table(TableName="a")
with refused("ValidationException", "'no blanks'", "regular expression"):
    tables.describe_table(TableName="no blanks")
with refused("ValidationException", "Value null at 'tableName'"):
    tables.describe_table()
with refused("ValidationException", "less than or equal to 100"):
    tables.list_tables(Limit=101)
with refused("ValidationException", "is required"):
    tables.update_table(TableName="both")
good = {
    "TableName": "refused",
    "BillingMode": "PAY_PER_REQUEST",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
}
for changes, *words in [
    ({"KeySchema": [{"AttributeName": "id", "KeyType": "RANGE"}]}, "not a HASH key type"),
    ({"KeySchema": [{"AttributeName": "no", "KeyType": "HASH"}]}, "not defined"),
    ({"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "SS"}]}, "[B, N, S]"),
    (
        {
            "AttributeDefinitions": good["AttributeDefinitions"]
            + [{"AttributeName": "more", "AttributeType": "S"}]
        },
        "Number of attributes in KeySchema",
    ),
    ({"BillingMode": "FREE"}, "enum value set"),
    ({"BillingMode": "PROVISIONED"}, "ReadCapacityUnits and WriteCapacityUnits"),
    ({"StreamSpecification": {"StreamEnabled": True}}, "StreamViewType"),
    ({"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "ALL"}}, "KEYS_ONLY"),
    ({"StreamSpecification": {"StreamEnabled": False, "StreamViewType": "NEW_IMAGE"}}, "only"),
    ({"LocalSecondaryIndexes": []}, "LocalStreams does not support"),
]:
    with refused("ValidationException", *words):
        tables.create_table(**{**good, **changes})
assert "refused" not in tables.list_tables()["TableNames"]

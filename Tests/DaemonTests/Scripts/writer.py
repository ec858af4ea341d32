"""Writes a seeded, changing workload to a DynamoDB endpoint with boto3, and prints the table at the end.

usage: writer.py ENDPOINT TABLE SEED SECONDS [create]

The last line of its output is a JSON object: the items by their ids, in DynamoDB's JSON.
"""
import base64
import json
import random
import sys
import time

import boto3
from botocore.config import Config

endpoint, table, seed, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
client = boto3.client(
    "dynamodb", endpoint_url=endpoint, region_name="us-east-1",
    aws_access_key_id="LOCALSTREAMS", aws_secret_access_key="local-secret",
    config=Config(retries={"max_attempts": 5}),
)
if "create" in sys.argv[5:]:
    client.create_table(
        TableName=table, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )

chance = random.Random(seed)
STRINGS = [
    "plain", "quo\"te\\slash/", "\b\f\n\r\t", "\x01\x1f\x7f", "h\u00e9llo \u4e16\u754c", "\U0001F600 astral \U00010348",
    "\u2028\u2029", "</script>", "", " ",
]


def value(depth=0):
    kind = chance.randrange(11 if depth < 4 else 6)
    if kind == 0:
        return {"S": chance.choice(STRINGS)}
    if kind == 1:
        digits = str(chance.randrange(1, 10)) + "".join(str(chance.randrange(10)) for _ in range(36)) + "7"
        return {"N": chance.choice(["0", "-1.5", digits, "-0." + digits, str(chance.randrange(10**9))])}
    if kind == 2:
        return {"B": chance.randbytes(chance.randrange(1, 40))}
    if kind == 3:
        return {"BOOL": chance.random() < 0.5}
    if kind == 4:
        return {"NULL": True}
    if kind == 5:
        return {"SS": sorted({chance.choice("abcdefg") + str(chance.randrange(9)) for _ in range(3)})}
    if kind == 6:
        return {"NS": sorted({str(chance.randrange(1, 1000)) for _ in range(3)})}
    if kind == 7:
        return {"M": {}}
    if kind == 8:
        return {"L": []}
    if kind == 9:
        return {"L": [value(depth + 1) for _ in range(chance.randrange(4))]}
    return {"M": {chance.choice(["k", "\u00fc", "10", "2", "a.b", "q\"t"]) + str(i): value(depth + 1) for i in range(chance.randrange(4))}}


def item(key):
    attributes = {"id": {"S": key}, "version": {"N": str(chance.randrange(1, 10**12))}}
    for name in chance.sample(["a", "b", "c", "7", "42", "\u00e4"], chance.randrange(1, 5)):
        attributes[name] = value()
    return attributes


def ident():
    return chance.choice(["item-", "sch\u00f6n-", "{x}:", "a b\n"]) + str(chance.randrange(60))


end = time.monotonic() + seconds
writes = 0
while time.monotonic() < end:
    what = chance.randrange(10)
    if what < 6:
        client.put_item(TableName=table, Item=item(ident()))
        writes += 1
    elif what < 8:
        client.delete_item(TableName=table, Key={"id": {"S": ident()}})
        writes += 1
    else:
        keys = sorted({ident() for _ in range(chance.randrange(1, 20))})
        client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item(key)}} for key in keys]})
        writes += len(keys)
print(f"{writes} writes", file=sys.stderr)


def plain(node):
    if isinstance(node, bytes):
        return base64.b64encode(node).decode()
    if isinstance(node, dict):
        return {key: plain(inner) for key, inner in node.items()}
    if isinstance(node, (list, set, tuple)):
        return [plain(inner) for inner in node]
    return node


items = {}
for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
    for found in page["Items"]:
        items[found["id"]["S"]] = plain(found)
print(json.dumps(items))

"""Makes a table with a stream, writes a seeded, changing workload to it with boto3, and prints its last state.

usage: writer.py ENDPOINT TABLE KEYS SEED SECONDS SECRET TOKEN [every-kind]

KEYS are the key attributes with their types, such as id:S or pk:N,sk:B. With `every-kind` (and keys of type S or B) there
are also updates, transactions, writes that change nothing, items that expire, a few hot keys that get half of the writes,
items that are written to once (what is lost of other items, the next write to them mends), and items whose version only
grows, so that whoever reads them can tell when it goes back. Else there is only what
moto's streams know as well. The last line of the output is a JSON object: the items in DynamoDB's JSON, named by the
values of their key attributes, joined by colons.
"""

import base64
import json
import random
import sys
import time

import boto3
from botocore.config import Config

endpoint, table, keys, seed, seconds, secret, token = sys.argv[1:8]
every_kind = sys.argv[8:] == ["every-kind"]
keys = [part.split(":") for part in keys.split(",")]
chance = random.Random(int(seed))
client = boto3.client(
    "dynamodb",
    endpoint_url=endpoint,
    region_name="us-east-1",
    aws_access_key_id="LOCALSTREAMS",
    aws_secret_access_key=secret,
    aws_session_token=token,
    config=Config(retries={"max_attempts": 5}),
)
client.create_table(
    TableName=table,
    BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": name, "KeyType": role} for (name, _), role in zip(keys, ["HASH", "RANGE"])],
    AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in keys],
    StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
)

STRINGS = [
    "content-mark",
    "quo\"te\\slash/",
    "\b\f\n\r\t",
    "\x01\x1f\x7f",
    "h\u00e9llo \u4e16\u754c",
    "\U0001f600 astral \U00010348",
    "\u2028\u2029",
    "</script>",
    "",
    " ",
]


def number():
    digits = str(chance.randrange(1, 10)) + "".join(str(chance.randrange(10)) for _ in range(36)) + "7"
    return chance.choice(["0", "-1.5", digits, "-0." + digits, "1.5e60", "1E-130", str(chance.randrange(10**9))])


def value(depth=0):
    kind = chance.randrange(11 if depth < 4 else 6)
    if kind == 0:
        return {"S": chance.choice(STRINGS)}
    if kind == 1:
        return {"N": number()}
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
    names = [chance.choice(["k", "\u00fc", "10", "2", "a.b", 'q"t']) + str(i) for i in range(chance.randrange(4))]
    return {"M": {name: value(depth + 1) for name in names}}


def key():
    """The key attributes of one of a few items."""
    if every_kind and chance.random() < 0.5:
        return attributes(chance.randrange(6))
    return attributes(chance.randrange(200))


def attributes(which):
    forms = {
        "S": {"S": ["item-", "sch\u00f6n-", "{x}:", "item-a b\n"][which % 4] + str(which)},
        "N": {"N": ["0", "-1.5", "12345678901234567890123456789012345678", str(which % 50)][which % 4]},
        "B": {"B": b"item-\x00\xff" + which.to_bytes(2, "big")},
    }
    return {name: forms[kind] for name, kind in keys}


def item(attributes):
    item = dict(attributes, version={"N": str(chance.randrange(1, 10**12))}, note={"S": "content-mark"})
    for name in chance.sample(["a", "b", "c", "7", "42", "\u00e4"], chance.randrange(1, 5)):
        item[name] = value()
    return item


def batch():
    """Puts of different items: a batch takes each key once."""
    wanted = {json.dumps(plain(one)): one for one in (key() for _ in range(chance.randrange(1, 20)))}
    return [{"PutRequest": {"Item": item(one)}} for one in wanted.values()]


def plain(node):
    if isinstance(node, bytes):
        return base64.b64encode(node).decode()
    if isinstance(node, dict):
        return {name: plain(inner) for name, inner in node.items()}
    if isinstance(node, (list, set, tuple)):
        return [plain(inner) for inner in node]
    return node


def update(one):
    """Sets and removes an attribute of an item, which may be a new one by that."""
    return {
        "Key": one,
        "UpdateExpression": "SET #set = :value REMOVE #gone",
        "ExpressionAttributeNames": {"#set": chance.choice("abc"), "#gone": chance.choice(["7", "42", EXPIRY])},
        "ExpressionAttributeValues": {":value": value()},
    }


def transaction():
    """Puts and deletes of up to four different items, all or none."""
    wanted = {json.dumps(plain(one)): one for one in (key() for _ in range(chance.randrange(1, 5)))}
    return [
        {"Put": {"TableName": table, "Item": item(one)}}
        if chance.random() < 0.6
        else {"Delete": {"TableName": table, "Key": one}}
        for one in wanted.values()
    ]


def write_of_another_kind():
    what = chance.randrange(4)
    if what == 0:
        client.update_item(TableName=table, **update(key()))
    elif what == 1:
        client.transact_write_items(TransactItems=transaction())
    elif what == 2:
        # The second write changes nothing, and is in no stream.
        same = item(key())
        client.put_item(TableName=table, Item=same)
        client.put_item(TableName=table, Item=same)
    else:
        # Some expire at once: the emulator's clock may be ahead of ours.
        due = int(time.time()) + chance.randrange(-60, 3_600)
        client.put_item(TableName=table, Item=dict(item(key()), **{EXPIRY: {"N": str(due)}}))


def write_once():
    """Puts an item that nobody writes to again, or takes such an item away."""
    global count
    if singles and chance.random() < 0.3:
        client.delete_item(TableName=table, Key=singles.pop(chance.randrange(len(singles))))
    else:
        count += 1
        singles.append(attributes(count))
        client.put_item(TableName=table, Item=item(singles[-1]))


def write_newer():
    """Puts one or more of the items whose version grows; they are never deleted."""
    global newest
    newest += 1
    for which in chance.sample(GROWING, chance.randrange(1, 3)):
        client.put_item(TableName=table, Item=dict(item(attributes(which)), version={"N": str(newest)}))


# The items whose version grows, with those of ChaosRun: by their names, all of one form.
GROWING = [60_000, 60_004, 60_008, 60_012]
newest = 0

EXPIRY = "expires"
if every_kind:
    client.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRY}
    )

# The keys of the items that were written to once, and the number of the last of them.
singles = []
count = 200
end = time.monotonic() + float(seconds)
while time.monotonic() < end:
    what = chance.randrange(10)
    other = chance.random() if every_kind else 1
    if other < 0.2:
        write_newer()
    elif other < 0.4:
        write_once()
    elif other < 0.65:
        write_of_another_kind()
    elif what < 6:
        client.put_item(TableName=table, Item=item(key()))
    elif what < 8:
        client.delete_item(TableName=table, Key=key())
    else:
        client.batch_write_item(RequestItems={table: batch()})


def scan():
    for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from page["Items"]


# What is printed has to stay true: nothing in it may expire any more.
while passing := [found for found in scan() if EXPIRY in found]:
    for found in passing:
        client.delete_item(TableName=table, Key={name: found[name] for name, _ in keys})

items = {}
for found in map(plain, scan()):
    items[":".join(found[name][kind] for name, kind in keys)] = found
print(json.dumps(items))

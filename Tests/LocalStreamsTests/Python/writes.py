"""UpdateItem and TransactWriteItems: what they do, what records they leave, what is refused."""

import sys

from testing_clients import all_records, client, create_table, refused

url = sys.argv[1]
tables, streams = client("dynamodb", url), client("dynamodbstreams", url)
arn = create_table(tables, "items")["LatestStreamArn"]
key = {"id": {"S": "a"}}


def update(expression=None, names=None, values=None, **more):
    request = {
        "UpdateExpression": expression,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }
    given = {name: value for name, value in request.items() if value is not None}
    return tables.update_item(**{"TableName": "items", "Key": key, **given, **more})


def stored():
    return tables.get_item(TableName="items", Key=key).get("Item")


# Made, changed, left alone, emptied.
assert "Attributes" not in update()
assert stored() == key
changed = update(
    "SET #n = :n, tags=:tags set m = :m",
    {"#n": "n"},
    {":n": {"N": "1"}, ":tags": {"SS": ["x"]}, ":m": {"M": {"k": {"NULL": True}}}},
    ReturnValues="ALL_NEW",
)["Attributes"]
full = {**key, "n": {"N": "1"}, "tags": {"SS": ["x"]}, "m": {"M": {"k": {"NULL": True}}}}
assert changed == full == stored(), changed
update("SET n = :n", values={":n": {"N": "1.0"}})  # the same
update("REMOVE nothing")
old = update("REMOVE tags, #n, m", {"#n": "n"}, ReturnValues="ALL_OLD")["Attributes"]
assert old == full and stored() == key
events = [(r["eventName"], r["dynamodb"]["NewImage"]) for r in all_records(streams, arn)]
assert events == [("INSERT", key), ("MODIFY", full), ("MODIFY", key)], events

one = {":v": {"N": "1"}}
for arguments, *words in [
    (("SET id = :v", None, one), "Cannot update attribute id", "part of the key"),
    (("REMOVE id",), "Cannot update attribute id"),
    (("SET a = :w", None, one), "attribute value: :w"),
    (("SET #a = :v", None, one), "attribute name: #a"),
    (("SET a = :v, a = :v", None, one), "Two document paths overlap"),
    (("SET a = :v REMOVE a", None, one), "Two document paths overlap"),
    (("SET a = :v", {"#b": "b"}, one), "unused in expressions", "#b"),
    (("REMOVE a", None, one), "unused in expressions", ":v"),
    (("",), "can not be empty"),
    (("SET a",), "LocalStreams does not support"),
    (("SET a = b",), "LocalStreams does not support"),
    (("SET a = a + :v", None, one), "LocalStreams does not support"),
    (("SET a.b = :v", None, one), "LocalStreams does not support"),
    (("SET a = if_not_exists(a, :v)", None, one), "LocalStreams does not support"),
    (("ADD a :v", None, one), "LocalStreams does not support"),
    (("SET",), "Syntax error"),
]:
    with refused("ValidationException", *words):
        update(*arguments)
with refused("ValidationException", "LocalStreams does not support ConditionExpression"):
    update("REMOVE a", ConditionExpression="attribute_exists(id)")
with refused("ValidationException", "enum value set"):
    update("REMOVE a", ReturnValues="UPDATED_NEW")
with refused("ValidationException", "does not match the schema"):
    update("REMOVE a", Key={"other": {"S": "a"}})
with refused("ResourceNotFoundException"):
    update("REMOVE a", TableName="unknown")
assert stored() == key

# Transactions: all or none, a record for each item, once for each token.
second = create_table(tables, "second")["LatestStreamArn"]


def put(name, number, table="second"):
    item = {"id": {"S": name}, "n": {"N": str(number)}}
    return {"Put": {"TableName": table, "Item": item}}


def delete(name, table="second"):
    return {"Delete": {"TableName": table, "Key": {"id": {"S": name}}}}


def transact(*items, token=None):
    tables.transact_write_items(
        TransactItems=list(items), **({"ClientRequestToken": token} if token else {})
    )


def stories():
    found = {}
    for record in all_records(streams, second):
        found.setdefault(record["dynamodb"]["Keys"]["id"]["S"], []).append(record["eventName"])
    return found


transact(put("a", 1), put("b", 1), delete("nothing"), put("c", 1, table="items"))
transact(put("a", 2), delete("b"), token="first")
tables.put_item(TableName="second", Item={"id": {"S": "a"}})
transact(put("a", 2), delete("b"), token="first")  # answered again, not done again
assert tables.get_item(TableName="second", Key={"id": {"S": "a"}})["Item"] == {"id": {"S": "a"}}
with refused("IdempotentParameterMismatchException"):
    transact(put("a", 3), token="first")
expected = {"a": ["INSERT", "MODIFY", "MODIFY"], "b": ["INSERT", "REMOVE"]}
assert stories() == expected, stories()
assert tables.scan(TableName="items")["Count"] == 2

bad = {"Put": {"TableName": "second", "Item": {"n": {"N": "1"}}}}
update_entry = {"Update": {"TableName": "second", "Key": key, "UpdateExpression": "REMOVE n"}}
condition = {"Put": {**put("d", 1)["Put"], "ConditionExpression": "attribute_exists(id)"}}
for items, *words in [
    ([], "greater than or equal to 1"),
    ([put(f"k{n}", n) for n in range(101)], "less than or equal to 100"),
    ([put("d", 1), bad], "Missing the key id"),
    ([put("d", 1), put("d", 2)], "multiple operations on one item"),
    ([put("d", 1), delete("d")], "multiple operations on one item"),
    ([{**put("d", 1), **delete("e")}], "only contain one"),
    ([{}], "only contain one"),
    ([put("d", 1), update_entry], "LocalStreams does not support Update"),
    ([condition], "LocalStreams does not support ConditionExpression"),
]:
    with refused("ValidationException", *words):
        transact(*items)
with refused("ResourceNotFoundException"):
    transact(put("d", 1), put("d", 1, table="unknown"))
transact(*[put(f"k{n}", n) for n in range(100)])
assert set(stories()) == {"a", "b"} | {f"k{n}" for n in range(100)}

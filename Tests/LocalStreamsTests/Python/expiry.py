"""Items that expire: switched on and off, deleted in time, and told apart in the stream."""

import sys
import time

from testing_clients import all_records, client, create_table, refused

url = sys.argv[1]
tables, streams = client("dynamodb", url), client("dynamodbstreams", url)
arn = create_table(tables, "items")["LatestStreamArn"]
now = int(time.time())


def put(name, expires=None):
    end = {} if expires is None else {"end": expires}
    tables.put_item(TableName="items", Item={"id": {"S": name}, **end})


def left():
    return {item["id"]["S"] for item in tables.scan(TableName="items")["Items"]}


def switch(enabled, attribute="end", table="items"):
    specification = {"Enabled": enabled, "AttributeName": attribute}
    return tables.update_time_to_live(TableName=table, TimeToLiveSpecification=specification)


def shown():
    return tables.describe_time_to_live(TableName="items")["TimeToLiveDescription"]


put("before", {"N": str(now - 100)})
assert shown() == {"TimeToLiveStatus": "DISABLED"}
specification = switch(True)["TimeToLiveSpecification"]
assert specification == {"Enabled": True, "AttributeName": "end"}
assert shown() == {"TimeToLiveStatus": "ENABLED", "AttributeName": "end"}
put("past", {"N": str(now - 1)})
put("future", {"N": str(now + 100_000)})
put("never")
put("text", {"S": str(now - 1)})
put("ancient", {"N": str(now - 6 * 365 * 86_400)})
put("fraction", {"N": "1.5"})
kept = {"future", "never", "text", "ancient", "fraction"}
assert left() == kept, left()
tables.delete_item(TableName="items", Key={"id": {"S": "never"}})
removed = {
    record["dynamodb"]["Keys"]["id"]["S"]: record.get("userIdentity")
    for record in all_records(streams, arn)
    if record["eventName"] == "REMOVE"
}
service = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
assert removed == {"before": service, "past": service, "never": None}, removed

with refused("ValidationException", "already enabled"):
    switch(True)
with refused("ValidationException", "different AttributeName"):
    switch(False, attribute="other")
switch(False)
assert shown() == {"TimeToLiveStatus": "DISABLED"}
with refused("ValidationException", "already disabled"):
    switch(False)
put("past", {"N": str(now - 1)})
assert "past" in left()
with refused("ResourceNotFoundException", "Table: unknown"):
    switch(True, table="unknown")
with refused("ResourceNotFoundException", "Table: unknown"):
    tables.describe_time_to_live(TableName="unknown")
with refused("ValidationException", "enabled"):
    tables.update_time_to_live(TableName="items")

"""Writes to a table, and reads every change back from its stream."""

import sys

from testing_clients import all_records, all_shards, client, create_table

url = sys.argv[1]
tables, streams = client("dynamodb", url), client("dynamodbstreams", url)
create_table(tables, "orders")
for number in range(100):
    tables.put_item(
        TableName="orders", Item={"id": {"S": f"key-{number % 40}"}, "n": {"N": str(number)}}
    )
arn = tables.describe_table(TableName="orders")["Table"]["LatestStreamArn"]
assert len(all_shards(streams, arn)) == 4
seen = [record["dynamodb"]["NewImage"] for record in all_records(streams, arn)]
numbers = sorted(int(image["n"]["N"]) for image in seen)
assert numbers == list(range(100)), numbers
last = {image["id"]["S"]: image for image in seen}
items = tables.scan(TableName="orders")["Items"]
assert sorted(map(str, items)) == sorted(map(str, last.values()))

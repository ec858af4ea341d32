"""Makes tables at an address and writes a number of changes to one: boto3 is the other side.

Usage: write_table.py ADDRESS CHANGES

Prints what a reader of the stream has to find: its ARN, and for each change in order its name, key and new image.
"""

import json
import sys

import boto3

client = boto3.client(
    "dynamodb",
    endpoint_url=sys.argv[1],
    region_name="eu-west-1",
    aws_access_key_id="id",
    aws_secret_access_key="secret",
)
shape = {
    "AttributeDefinitions": [
        {"AttributeName": "Place", "AttributeType": "S"},
        {"AttributeName": "Time", "AttributeType": "N"},
    ],
    "KeySchema": [
        {"AttributeName": "Place", "KeyType": "HASH"},
        {"AttributeName": "Time", "KeyType": "RANGE"},
    ],
    "BillingMode": "PAY_PER_REQUEST",
}
client.create_table(TableName="quiet", **shape)
table = client.create_table(
    TableName="weather",
    StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    **shape,
)["TableDescription"]

changes = []
for number in range(int(sys.argv[2])):
    key = {"Place": {"S": f"p{number % 50}"}, "Time": {"N": str(number % 90)}}
    if number % 7 == 6 and changes[-1]["name"] != "REMOVE":
        key = changes[-1]["key"]
        client.delete_item(TableName="weather", Key=key)
        changes.append({"name": "REMOVE", "key": key, "image": None})
        continue
    item = {**key, "Rain": {"N": f"{number}.5"}, "Words": {"S": f"\u00e4 \"{number}\" \\ \U0001f327"}}
    known = client.put_item(TableName="weather", Item=item, ReturnValues="ALL_OLD")
    name = "MODIFY" if "Attributes" in known else "INSERT"
    changes.append({"name": name, "key": key, "image": item})
print(json.dumps({"arn": table["LatestStreamArn"], "changes": changes}))

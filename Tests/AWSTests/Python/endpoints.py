"""Prints, as JSON, the address that botocore's rules give for every service, region and variant."""

import itertools
import json

import botocore.loaders
from botocore.endpoint_provider import EndpointProvider

loader = botocore.loaders.create_loader()
partitions = loader.load_data("partitions")
services = {"tables": "dynamodb", "streams": "dynamodbstreams", "tokens": "sts"}
found = []
for service, model in services.items():
    rules = EndpointProvider(loader.load_service_model(model, "endpoint-rule-set-1"), partitions)
    extra = {"UseGlobalEndpoint": False} if model == "sts" else {}
    for partition in partitions["partitions"]:
        # The global pseudo-regions have no tables.
        regions = [name for name in partition["regions"] if not name.endswith("-global")]
        for region, fips, dual in itertools.product(regions, (False, True), (False, True)):
            endpoint = rules.resolve_endpoint(
                Region=region, UseFIPS=fips, UseDualStack=dual, **extra
            )
            found.append(
                {
                    "service": service,
                    "partition": partition["id"],
                    "region": region,
                    "fips": fips,
                    "dualStack": dual,
                    "url": endpoint.url,
                }
            )
print(json.dumps(found))

"""What botocore reads in profile files, as an oracle for ours.

Usage: profile_oracle.py SEED COUNT

Prints COUNT random pairs of files with the profiles, services and endpoints that botocore finds in them, as JSON.
Left out is what we do differently on purpose: sections and keys that come twice (botocore refuses the file), and keys
whose parts stand in both files (see DecisionTests).
"""

import json
import os
import random
import sys
import tempfile

import botocore.session
from botocore.configprovider import ConfiguredEndpointProvider

NAMES = ["default", "a", "b", "two words", "ünï", "x.y-z", "preview"]
KEYS = ["region", "output", "Role_ARN", "external_id", "s3", "ca_bundle", "endpoint_url", "x"]
VALUES = [
    "us-east-1", "", "a=b", "a:b", "se#cret;x", "two  words", "'quoted'", '"double"', "%(x)s", "ü", "arn:aws:iam::1:r/x",
    "tail   ", "[x]", "a # b",
]
SERVICES = ["dynamodb", "dynamodb_streams", "sts", "s3"]


def main():
    chance = random.Random(int(sys.argv[1]))
    json.dump([case(chance) for _ in range(int(sys.argv[2]))], sys.stdout)


def case(chance):
    config = config_file(chance)
    credentials = credentials_file(chance)
    environment = {}
    for name in ["", "_DYNAMODB", "_DYNAMODB_STREAMS", "_STS"]:
        if chance.random() < 0.15:
            environment["AWS_ENDPOINT_URL" + name] = f"http://localhost{chance.randrange(9)}"
    if chance.random() < 0.1:
        environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = chance.choice(["true", "TRUE", "false", "1"])
    found = {"config": config, "credentials": credentials, "environment": environment}
    with tempfile.TemporaryDirectory() as folder:
        os.environ.clear()
        os.environ["HOME"] = folder
        for variable, name, text in [
            ("AWS_CONFIG_FILE", "config", config),
            ("AWS_SHARED_CREDENTIALS_FILE", "credentials", credentials),
        ]:
            os.environ[variable] = os.path.join(folder, name)
            with open(os.environ[variable], "w", newline="") as file:
                file.write(text)
        try:
            session = botocore.session.Session()
            full = session.full_config
            found["profiles"] = {name: split(keys) for name, keys in full["profiles"].items()}
            found["services"] = {name: split(keys) for name, keys in full["services"].items()}
            found["endpoints"] = endpoints(full, environment)
        except Exception as error:
            found["error"] = f"{type(error).__name__}: {error}"
    return found


def split(keys):
    return {
        "values": {key: value for key, value in keys.items() if isinstance(value, str)},
        "tables": {key: value for key, value in keys.items() if isinstance(value, dict)},
    }


def endpoints(full, environment):
    """The addresses for the three services with the default profile, in the order of SERVICES; null is none."""
    profile = full["profiles"].get("default", {})
    ignored = environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false").lower() == "true"
    answers = []
    for client in ["dynamodb", "dynamodbstreams", "sts"]:
        provider = ConfiguredEndpointProvider(full, profile, client, environment)
        try:
            answers.append(None if ignored else provider.provide())
        except Exception as error:
            answers.append(type(error).__name__)
    return answers


def config_file(chance):
    sections = []
    for name in chance.sample(NAMES, chance.randrange(5)):
        quoted = f'"{name}"' if " " in name or chance.random() < 0.3 else name
        header = "default" if name == "default" else f"profile{chance.choice([' ', '  ', chr(9)])}{quoted}"
        if name == "preview":
            header = name
        sections.append((header, body(chance, chance.random() < 0.3)))
    for name in chance.sample(["s1", "s2"], chance.randrange(3)):
        tables = chance.sample(SERVICES, chance.randrange(1, 4))
        sections.append((f"services {name}", [table(chance, key) for key in tables]))
    chance.shuffle(sections)
    return text(chance, sections)


def credentials_file(chance):
    names = [name for name in NAMES if name != "preview"] + ["profile a"]
    return text(chance, [(name, body(chance, False)) for name in chance.sample(names, chance.randrange(4))])


def body(chance, services):
    lines = []
    for key in chance.sample(KEYS, chance.randrange(5)):
        kind = chance.random()
        if key == "endpoint_url":
            lines.append(f"{key} = http://localhost{chance.randrange(9)}")
        elif kind < 0.15:
            lines.append(table(chance, key))
        elif kind < 0.3:
            lines.append(f"{key} = {chance.choice(VALUES)}\n   {chance.choice(['more', 'x = y', '# none'])}")
        else:
            separator = chance.choice([" = ", "=", " =", "= ", ": ", "   =\t"])
            lines.append(f"{key}{separator}{chance.choice(VALUES)}")
    if services:
        lines.append(f"services = {chance.choice(['s1', 's2', 's3'])}")
    return lines


def table(chance, key):
    lines = [f"{key} ="]
    if key in SERVICES:
        lines.append(f"  endpoint_url = http://127.0.0.{chance.randrange(1, 9)}:8000")
    for name in chance.sample(["k1", "k2"], chance.randrange(1, 3)):
        lines.append(f"{chance.choice(['  ', chr(9)])}{name} = {chance.choice(['v', 'a = b', '#x', ''])}")
    return "\n".join(lines)


def text(chance, sections):
    lines = []
    for header, keys in sections:
        lines.append(f"[{header}]")
        for key in keys:
            lines.append(key)
            if chance.random() < 0.2:
                lines.append(chance.choice(["", "# note", ";note", "  # note", "   "]))
    whole = "\n".join(lines)
    if chance.random() < 0.8:
        whole += "\n"
    return whole.replace("\n", "\r\n") if chance.random() < 0.3 else whole


main()

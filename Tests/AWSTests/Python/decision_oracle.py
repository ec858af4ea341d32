"""Which source of credentials botocore decides for, as an oracle for our chain.

Usage: decision_oracle.py SEED COUNT

Prints COUNT random environments with profile files and botocore's decision in one line of text, as JSON. Nothing is
fetched: roles and web identities are deferred by botocore itself; the container's and the instance's endpoint and
processes are replaced here by their names.

Known differences, which the generator or the test leaves out:
- botocore takes a profile's role before a web identity of the environment, and mixes the two places of a web identity's
  keys; we follow the SDKs for Go and Java.
- botocore asks at the terminal for MFA codes and reads SSO caches; we refuse both.
- botocore ignores a duration_seconds that is no number; we refuse it.
- botocore reads the old name of the session token first; we read it last.
- botocore ignores a secret key without an access key in a profile; we refuse it.
"""

import json
import os
import random
import sys
import tempfile

import botocore.credentials as bc
import botocore.session

PROFILES = ["default", "a", "b", "c"]


class Named:
    """Credentials of a source that is not asked."""

    def __init__(self, name):
        self.name = name


def main():
    chance = random.Random(int(sys.argv[1]))
    bc.ContainerProvider._retrieve_or_fail = lambda self: Named(
        "container http://169.254.170.2" + self._environ[self.ENV_VAR]
        if self._provided_relative_uri()
        else "container " + self._environ[self.ENV_VAR_FULL]
    )
    bc.InstanceMetadataProvider.load = lambda self: (
        None if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true" else Named("instance")
    )
    bc.ProcessProvider.load = lambda self: (
        self._credential_process and Named("process " + "|".join(bc.compat_shell_split(self._credential_process)))
    )
    json.dump([case(chance) for _ in range(int(sys.argv[2]))], sys.stdout)


def case(chance):
    environment = variables(chance)
    profile = chance.choice(PROFILES + ["missing"]) if chance.random() < 0.3 else None
    config, credentials = files(chance)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.clear()
        os.environ.update(environment)
        os.environ["HOME"] = folder
        for variable, name, text in [
            ("AWS_CONFIG_FILE", "config", config),
            ("AWS_SHARED_CREDENTIALS_FILE", "credentials", credentials),
        ]:
            os.environ[variable] = os.path.join(folder, name)
            with open(os.environ[variable], "w") as file:
                file.write(text)
        try:
            session = botocore.session.Session(profile=profile)
            found = describe(bc.create_credential_resolver(session).load_credentials())
            session.get_scoped_config()
        except Exception as error:
            found = f"error {type(error).__name__}: {error}"
    return {
        "environment": environment,
        "profile": profile,
        "config": config,
        "credentials": credentials,
        "decision": found,
    }


def describe(found):
    if found is None:
        return "none"
    if isinstance(found, Named):
        return found.name
    if isinstance(found, bc.DeferredRefreshableCredentials):
        fetcher = found._refresh_using.__self__
        terms = fetcher._assume_kwargs
        text = f"{terms['RoleArn']} {named(fetcher)} {terms.get('ExternalId')} {terms.get('DurationSeconds')}"
        if isinstance(fetcher, bc.AssumeRoleWithWebIdentityCredentialFetcher):
            return f"web {text} {fetcher._web_identity_token_loader._web_identity_token_path}"
        return f"role {text} by {describe(fetcher._source_credentials)}"
    return f"keys {found.access_key} {found.secret_key} {found.token}"


def named(fetcher):
    """The session's name, unless botocore made it up."""
    return None if fetcher._using_default_session_name else fetcher._assume_kwargs["RoleSessionName"]


def variables(chance):
    found = {}
    kind = chance.random()
    if kind < 0.15:
        found |= {"AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "env-secret"}
        if chance.random() < 0.5:
            found["AWS_SESSION_TOKEN"] = "env-token"
    elif kind < 0.2:
        found["AWS_ACCESS_KEY_ID"] = "AKENV"
    elif kind < 0.25:
        found |= {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "env-secret"}
    if chance.random() < 0.2:
        found["AWS_PROFILE"] = chance.choice(PROFILES + ["missing"])
    if chance.random() < 0.15:
        found["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/var/run/token"
        if chance.random() < 0.8:
            found["AWS_ROLE_ARN"] = "arn:env"
        if chance.random() < 0.5:
            found["AWS_ROLE_SESSION_NAME"] = "env-session"
    if chance.random() < 0.2:
        found["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/creds"
    if chance.random() < 0.2:
        found["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://127.0.0.1:80/full"
    if chance.random() < 0.3:
        found["AWS_EC2_METADATA_DISABLED"] = chance.choice(["true", "True", "1"])
    return found


def files(chance):
    config, credentials = [], []
    for name in PROFILES:
        if chance.random() < 0.3:
            continue
        header = "[default]" if name == "default" else f"[profile {name}]"
        config += [header, "region = us-east-1"]
        config += [f"{key} = {value}" for key, value in keys(chance, name).items()]
        if chance.random() < 0.3:
            credentials.append(f"[{name}]")
            credentials += [f"{key} = {value}" for key, value in static(chance, f"{name}-cred").items()]
    return "\n".join(config), "\n".join(credentials)


def keys(chance, name):
    kind = chance.random()
    if kind < 0.15:
        return static(chance, name)
    if kind < 0.5:
        found = {"role_arn": f"arn:{name}"}
        if chance.random() < 0.8:
            found["source_profile"] = chance.choice(PROFILES + ["missing"])
        if chance.random() < (0.8 if len(found) == 1 else 0.1):
            found["credential_source"] = chance.choice(
                ["Environment", "Ec2InstanceMetadata", "EcsContainer", "environment", "Other"]
            )
        if chance.random() < 0.3:
            found["role_session_name"] = f"{name}-session"
        if chance.random() < 0.3:
            found["external_id"] = f"{name}-external"
        if chance.random() < 0.3:
            found["duration_seconds"] = "900"
        return found
    if kind < 0.6:
        found = {"web_identity_token_file": f"/{name}/token"}
        if chance.random() < 0.8:
            found["role_arn"] = f"arn:{name}"
        if chance.random() < 0.5:
            found["role_session_name"] = f"{name}-session"
        return found
    if kind < 0.7:
        return {"credential_process": chance.choice(['run --fast "a b"', "/bin/x 'it''s' \\$HOME", "x"])}
    return {}


def static(chance, name):
    found = {"aws_access_key_id": f"AK{name}"}
    if chance.random() < 0.95:
        found["aws_secret_access_key"] = f"{name}-secret"
    if chance.random() < 0.4:
        found["aws_session_token"] = f"{name}-token"
    return found


main()

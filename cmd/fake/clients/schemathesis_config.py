"""Prints a configuration for schemathesis: the ids that its requests need, from the fake.

Needs ASTEROID_BASE_URL, ASTEROID_API_KEY, ASTEROID_ORGANIZATION_ID and ASTEROID_AGENTS.
"""

import json
import os
import urllib.request

AGENT = json.loads(os.environ["ASTEROID_AGENTS"])["patient"]


def call(method, path, body=None):
    request = urllib.request.Request(
        os.environ["ASTEROID_BASE_URL"] + "/agents/v2" + path,
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"X-Api-Key": os.environ["ASTEROID_API_KEY"], "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def first(path):
    return call("GET", path)["items"][0]["id"]


execution = call("POST", f"/agents/{AGENT}/execute", {"inputs": {"seconds": 3600}})["executionId"]
profile = first("/profiles")
ids = {
    "agentId": AGENT,
    "executionId": execution,
    "versionId": call("GET", f"/workflows/{AGENT}/versions")[0]["id"],
    "organizationId": os.environ["ASTEROID_ORGANIZATION_ID"],
    "profileId": profile,
    "groupId": first("/profile-groups"),
    "emailId": call("GET", f"/profiles/{profile}/inbox-emails")["emails"][0]["id"],
}

# The fake refuses two different keys, so schemathesis must not add one of its own. It also refuses
# what the contract says in words only, such as two members that exclude each other.
print("[generation]\nwith-security-parameters = false")
print("[checks]\npositive_data_acceptance.enabled = false")
print("[parameters]")
for name, value in ids.items():
    print(f'"path.{name}" = "{value}"')

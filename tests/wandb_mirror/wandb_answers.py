"""What a wandb server answers to the SDK's GraphQL, as far as tests need it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

ENTITY = {"id": "RW50", "name": "tester"}
PEOPLE = {"id": "1", "entity": "tester", "username": "tester", "email": "t@example.org", "admin": False, "flags": "{}"}
VIEWER = {**PEOPLE, "teams": {"edges": []}, "apiKeys": {"edges": []}}


@dataclass
class ArrivedRun:
    """A run as the server knows it; `lines` are the history's by their place, as the file stream names it."""

    head: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    lines: dict[int, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    complete: bool = False

    @property
    def history(self) -> list[dict[str, Any]]:
        """The logged steps in their order, without wandb's own keys."""
        return [{k: v for k, v in self.lines[place].items() if k[0] != "_"} for place in sorted(self.lines)]

    @property
    def step_metrics(self) -> dict[str, Any]:
        """Metric -> the metric that is its x axis, as `define_metric` said."""
        defined = self.config["_wandb"]["m"]
        names = [item.get("1") or item.get("2") for item in defined]
        return {name: names[item["5"] - 1] for name, item in zip(names, defined, strict=True) if "5" in item}

    def settings(self) -> dict[str, Any]:
        return {key: value for key, value in self.config.items() if key != "_wandb"}


class Keeper(Protocol):
    """A server, as the answers see it: what arrived, and where it listens."""

    runs: dict[str, ArrivedRun]
    artifacts: list[dict[str, Any]]
    reports: list[dict[str, Any]]

    @property
    def url(self) -> str: ...

    def run(self, name: str) -> ArrivedRun: ...


def project_of(given: dict[str, Any]) -> dict[str, Any]:
    name = given.get("project") or given.get("modelName") or given.get("projectName") or "replicate"
    return {"id": "UHJv", "internalId": "UHJvamVjdEludGVybmFsSWQ6MQ==", "name": name, "entity": ENTITY}


def resume(server: Keeper, given: dict[str, Any]) -> dict[str, Any]:
    """What is known of a run that is begun again."""
    run, bucket = server.runs.get(given["name"]), None
    if run is not None:
        last = [json.dumps(run.lines[place]) for place in sorted(run.lines)[-1:]]
        counts = {"logLineCount": 0, "eventsLineCount": 0, "historyLineCount": len(run.lines)}
        tails = {"historyTail": json.dumps(last), "eventsTail": "[]", "summaryMetrics": json.dumps(run.summary)}
        kept = {
            "tags": run.head.get("tags") or [],
            "notes": run.head.get("notes"),
            "config": json.dumps(as_values(run)),
        }
        named = {"id": "QnVj", "name": given["name"], "displayName": run.head.get("displayName")}
        bucket = {**named, **counts, **tails, **kept, "wandbConfig": json.dumps({"t": 1})}
    return {"model": {**project_of(given), "bucket": bucket}}


def as_values(run: ArrivedRun) -> dict[str, Any]:
    return {key: {"value": value} for key, value in run.config.items()}


def upsert(server: Keeper, given: dict[str, Any]) -> dict[str, Any]:
    name = given.get("name") or given["id"]
    inserted, run = name not in server.runs, server.run(name)
    run.head.update({key: value for key, value in given.items() if value is not None})
    run.config = {key: item["value"] for key, item in json.loads(given.get("config") or "{}").items()} or run.config
    bucket = {"id": "QnVj", "name": name, "displayName": given.get("displayName"), "description": "", "sweepName": None}
    bucket |= {"config": json.dumps(as_values(run)), "historyLineCount": len(run.lines), "project": project_of(given)}
    return {"upsertBucket": {"bucket": bucket, "inserted": inserted}}


def run_files(server: Keeper, given: dict[str, Any]) -> dict[str, Any]:
    files = [{"name": name, "uploadUrl": f"{server.url}/put/{given['run']}/{name}"} for name in given.get("files", [])]
    return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}


def server_info(server: Keeper, given: dict[str, Any]) -> dict[str, Any]:
    versions = {"max_cli_version": "99.0.0", "min_cli_version": "0.0.1"}
    info = {
        "features": [],
        "cliVersionInfo": versions,
        "latestLocalVersionInfo": None,
        "exposesExplicitRunIdQuery": True,
    }
    types = {name: {"fields": []} for name in ("QueryType", "MutationType", "ServerInfoType")}
    return {"serverInfo": info, "viewer": VIEWER, **types}


def projects(server: Keeper, given: dict[str, Any]) -> dict[str, Any]:
    times = {"createdAt": "2026-01-01T00:00:00", "isBenchmark": False, "user": None}
    node = {"__typename": "Project", "id": "UHJv", "name": "replicate", "entityName": "tester", **times}
    return {"models": {"pageInfo": {"endCursor": None, "hasNextPage": False}, "edges": [{"node": node}]}}


def report(server: Keeper, given: dict[str, Any]) -> dict[str, Any]:
    server.reports.append({**given, "spec": json.loads(given["spec"])})
    view = {"id": "Vmlldw==", "type": "runs", "name": "n", "displayName": given.get("displayName")}
    view |= {"description": given.get("description"), "user": {"username": "tester"}, "spec": given["spec"]}
    view |= {"updatedAt": "2026-01-01", "createdAt": "2026-01-01"}
    return {"upsertView": {"view": view, "inserted": True}}


def artifact(server: Keeper, given: dict[str, Any]) -> dict[str, Any]:
    server.artifacts.append({**given, "used": False})
    sequence = {"id": "U2Vx", "latestArtifact": None}
    made = {"id": f"QXJ0{len(server.artifacts) - 1}", "state": "PENDING", "artifactSequence": sequence}
    return {"createArtifact": {"artifact": made}}


def manifest(server: Keeper, given: dict[str, Any]) -> dict[str, Any]:
    place = {"id": "RmlsZQ==", "name": "wandb_manifest.json", "displayName": "wandb_manifest.json"}
    place |= {"uploadUrl": f"{server.url}/manifest/{given['artifactID'][4:]}", "uploadHeaders": []}
    return {"createArtifactManifest": {"artifactManifest": {"id": "TWFu", "file": place}}}


def artifact_files(server: Keeper, given: dict[str, Any]) -> dict[str, Any]:
    edges = []
    for wanted in given["input"]["artifactFiles"]:
        name, address = wanted["name"], f"{server.url}/artifact/{wanted['artifactID'][4:]}/{wanted['name']}"
        node = {"id": "RmlsZQ==", "name": name, "displayName": name, "uploadUrl": address, "uploadHeaders": []}
        node |= {"storagePath": "s", "artifact": {"id": wanted["artifactID"]}}
        edges.append({"node": node})
    return {"createArtifactFiles": {"files": {"edges": edges}}}


def artifact_by_id(server: Keeper, given: dict[str, Any]) -> dict[str, Any]:
    kept = server.artifacts[int(given["id"][4:])]["input"]
    sequence = {"name": kept["artifactCollectionName"], "project": project_of({"project": kept["projectName"]})}
    found = {"id": given["id"], "artifactSequence": sequence, "artifactType": {"name": kept["artifactTypeName"]}}
    found |= dict.fromkeys(("description", "historyStep", "commitHash", "updatedAt"))
    found |= {"versionIndex": 0, "metadata": kept["metadata"], "ttlDurationSeconds": 0, "ttlIsInherited": False}
    found |= {"tags": [], "state": "COMMITTED", "size": 1, "digest": kept["digest"], "fileCount": 1}
    return {"artifact": {**found, "createdAt": "2026-01-01T00:00:00"}}


def commit(server: Keeper, given: dict[str, Any]) -> dict[str, Any]:
    server.artifacts[int(given["artifactID"][4:])]["committed"] = True
    return {"commitArtifact": {"artifact": {"id": given["artifactID"], "digest": "d"}}}


def use(server: Keeper, given: dict[str, Any]) -> dict[str, Any]:
    server.artifacts[int(given["input"]["artifactID"][4:])]["used"] = True
    return {"useArtifact": {"artifact": {"id": given["input"]["artifactID"]}}}


Answer = Callable[[Keeper, dict[str, Any]], dict[str, Any]]
ANSWERS: dict[str, Answer] = {
    "upsertBucket": upsert,
    "RunResumeStatus": resume,
    "createRunFiles": run_files,
    "serverInfo": server_info,
    "GetProjects": projects,
    "ProjectInternalId": lambda server, given: {"project": project_of(given)},
    "upsertView": report,
    "createArtifactManifest": manifest,
    "createArtifactFiles": artifact_files,
    "createArtifact(": artifact,
    "commitArtifact": commit,
    "useArtifact": use,
    "ArtifactByID": artifact_by_id,
    "query ArtifactType": lambda server, given: {"project": {"artifact": None}},
    "viewer": lambda server, given: {"viewer": VIEWER},
}

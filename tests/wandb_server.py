"""A small wandb server on 127.0.0.1 for tests: it answers the SDK's GraphQL and file stream and keeps what arrived."""

import base64
import gzip
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Container, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

KEY = "0123456789" * 4
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


class QuietServer(ThreadingHTTPServer):
    """Says nothing of clients that leave; what a test misses is seen in what did not arrive."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None: ...


class WandbServer:
    """Serves until `close`. `refusal` is the status of every answer if set; `die` closes all connections for good."""

    def __init__(self) -> None:
        self.runs: dict[str, ArrivedRun] = {}
        self.artifacts: list[dict[str, Any]] = []
        self.reports: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.refusal: int | None = None
        self.die_when: Callable[[str], bool] = lambda path: False
        self._connections: list[socket.socket] = []
        self._server = QuietServer(("127.0.0.1", 0), handler_of(self))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """What makes the SDK talk to this server."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY}

    def run(self, name: str) -> ArrivedRun:
        return self.runs.setdefault(name, ArrivedRun())

    def die(self) -> None:
        """Refuse new connections and cut those that are open."""
        self._server.socket.close()
        for connection in self._connections:
            with suppress(OSError):  # those that their clients have closed
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def graphql(self, text: str, given: dict[str, Any]) -> dict[str, Any]:
        """The answer to a query: that of the first word of ANSWERS that stands in it."""
        for word, answer in ANSWERS.items():
            if word in text:
                self.asked.append(word)
                return answer(self, given)
        self.asked.append(text.strip()[:80])
        return {}

    def stream(self, name: str, body: dict[str, Any]) -> None:
        """Lines of a run's files, each at the place that it names."""
        run = self.run(name)
        for file, part in body.get("files", {}).items():
            lines = [json.loads(line) for line in part["content"] if file.endswith((".json", ".jsonl"))]
            if file == "wandb-history.jsonl":
                run.lines.update(enumerate(lines, start=part["offset"]))
            elif file == "wandb-summary.json":
                run.summary = lines[-1]
        run.complete = run.complete or bool(body.get("complete"))


def project_of(given: dict[str, Any]) -> dict[str, Any]:
    name = given.get("project") or given.get("modelName") or given.get("projectName") or "replicate"
    return {"id": "UHJv", "internalId": "UHJvamVjdEludGVybmFsSWQ6MQ==", "name": name, "entity": ENTITY}


def resume(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
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


def upsert(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    name = given.get("name") or given["id"]
    inserted, run = name not in server.runs, server.run(name)
    run.head.update({key: value for key, value in given.items() if value is not None})
    run.config = {key: item["value"] for key, item in json.loads(given.get("config") or "{}").items()} or run.config
    bucket = {"id": "QnVj", "name": name, "displayName": given.get("displayName"), "description": "", "sweepName": None}
    bucket |= {"config": json.dumps(as_values(run)), "historyLineCount": len(run.lines), "project": project_of(given)}
    return {"upsertBucket": {"bucket": bucket, "inserted": inserted}}


def run_files(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    files = [{"name": name, "uploadUrl": f"{server.url}/put/{given['run']}/{name}"} for name in given.get("files", [])]
    return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}


def server_info(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    versions = {"max_cli_version": "99.0.0", "min_cli_version": "0.0.1"}
    info = {
        "features": [],
        "cliVersionInfo": versions,
        "latestLocalVersionInfo": None,
        "exposesExplicitRunIdQuery": True,
    }
    types = {name: {"fields": []} for name in ("QueryType", "MutationType", "ServerInfoType")}
    return {"serverInfo": info, "viewer": VIEWER, **types}


def projects(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    times = {"createdAt": "2026-01-01T00:00:00", "isBenchmark": False, "user": None}
    node = {"__typename": "Project", "id": "UHJv", "name": "replicate", "entityName": "tester", **times}
    return {"models": {"pageInfo": {"endCursor": None, "hasNextPage": False}, "edges": [{"node": node}]}}


def report(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    server.reports.append({**given, "spec": json.loads(given["spec"])})
    view = {"id": "Vmlldw==", "type": "runs", "name": "n", "displayName": given.get("displayName")}
    view |= {"description": given.get("description"), "user": {"username": "tester"}, "spec": given["spec"]}
    view |= {"updatedAt": "2026-01-01", "createdAt": "2026-01-01"}
    return {"upsertView": {"view": view, "inserted": True}}


def artifact(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    server.artifacts.append({**given, "used": False})
    sequence = {"id": "U2Vx", "latestArtifact": None}
    made = {"id": f"QXJ0{len(server.artifacts) - 1}", "state": "PENDING", "artifactSequence": sequence}
    return {"createArtifact": {"artifact": made}}


def manifest(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    place = {"id": "RmlsZQ==", "name": "wandb_manifest.json", "displayName": "wandb_manifest.json"}
    place |= {"uploadUrl": f"{server.url}/manifest/{given['artifactID'][4:]}", "uploadHeaders": []}
    return {"createArtifactManifest": {"artifactManifest": {"id": "TWFu", "file": place}}}


def artifact_files(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    edges = []
    for wanted in given["input"]["artifactFiles"]:
        name, address = wanted["name"], f"{server.url}/artifact/{wanted['artifactID'][4:]}/{wanted['name']}"
        node = {"id": "RmlsZQ==", "name": name, "displayName": name, "uploadUrl": address, "uploadHeaders": []}
        node |= {"storagePath": "s", "artifact": {"id": wanted["artifactID"]}}
        edges.append({"node": node})
    return {"createArtifactFiles": {"files": {"edges": edges}}}


def artifact_by_id(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    kept = server.artifacts[int(given["id"][4:])]["input"]
    sequence = {"name": kept["artifactCollectionName"], "project": project_of({"project": kept["projectName"]})}
    found = {"id": given["id"], "artifactSequence": sequence, "artifactType": {"name": kept["artifactTypeName"]}}
    found |= dict.fromkeys(("description", "historyStep", "commitHash", "updatedAt"))
    found |= {"versionIndex": 0, "metadata": kept["metadata"], "ttlDurationSeconds": 0, "ttlIsInherited": False}
    found |= {"tags": [], "state": "COMMITTED", "size": 1, "digest": kept["digest"], "fileCount": 1}
    return {"artifact": {**found, "createdAt": "2026-01-01T00:00:00"}}


def commit(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    server.artifacts[int(given["artifactID"][4:])]["committed"] = True
    return {"commitArtifact": {"artifact": {"id": given["artifactID"], "digest": "d"}}}


def use(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    server.artifacts[int(given["input"]["artifactID"][4:])]["used"] = True
    return {"useArtifact": {"artifact": {"id": given["input"]["artifactID"]}}}


Answer = Callable[[WandbServer, dict[str, Any]], dict[str, Any]]
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


def handler_of(server: WandbServer) -> type[BaseHTTPRequestHandler]:
    """The requests of `server`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            server._connections.append(self.connection)

        def log_message(self, *_: object) -> None: ...

        def reply(self, body: dict[str, Any], status: int = 200) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def refused(self) -> bool:
            """Whether the request was turned away: all are, or this one has no key."""
            sent = self.headers.get("Authorization", "").removeprefix("Basic ")
            known = base64.b64decode(sent).decode().endswith(f":{KEY}") or self.command == "PUT"
            status = server.refusal or (None if known else 401)
            if status is not None:
                self.reply({"errors": [{"message": "refused"}]}, status)
            return status is not None

        def body(self) -> bytes:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data

        def do_GET(self) -> None:
            self.reply({})

        def do_PUT(self) -> None:
            data = self.body()
            kind, owner, *rest = unquote(self.path).lstrip("/").split("/")
            if kind == "put":
                server.run(owner).files["/".join(rest)] = data
            else:
                name = "/".join(rest) or "manifest"
                server.artifacts[int(owner)].setdefault("files", {})[name] = data
            self.reply({})

        def do_POST(self) -> None:
            data = self.body()
            if server.die_when(self.path):
                server.die()
                return
            if not self.path.endswith(("/graphql", "/file_stream")):  # telemetry, which is binary
                return self.reply({})
            if self.refused():
                return None
            if self.path.endswith("/graphql"):
                asked = json.loads(data)
                self.reply({"data": server.graphql(asked["query"], asked.get("variables") or {})})
            else:
                server.stream(unquote(self.path).split("/")[-2], json.loads(data))
                self.reply({"limits": {}, "exitcode": None})

    return Handler


def outside(
    code: str, folder: Path, settings: Mapping[str, str], codes: Container[int] = (0,)
) -> "subprocess.CompletedProcess[str]":
    """Run Python in a process of its own, whose wandb knows nothing of the user's: no login, `folder` as home.

    It must end with one of `codes`.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
    environment |= {"HOME": str(folder), "WANDB_ERROR_REPORTING": "false", **settings}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode in codes, done.stderr
    return done

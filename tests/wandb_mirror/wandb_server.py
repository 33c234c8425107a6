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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.wandb_mirror.wandb_answers import ANSWERS, ArrivedRun

KEY = "0123456789" * 4


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

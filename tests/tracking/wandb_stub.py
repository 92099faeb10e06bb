"""A stand-in for the HTTP interface of a W&B server: answers what wandb 0.31 asks and keeps what it is sent."""

import gzip
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

OPERATION = re.compile(r"\b(?:query|mutation)\s+(\w+)")
USER = {"id": "user", "entity": "team", "username": "somebody", "email": None, "flags": "{}", "teams": {"edges": []}}


@dataclass
class StubRun:
    """What the server knows of a run."""

    about: dict[str, Any] = field(default_factory=dict)
    """Arguments of the upserts that were not null: groupName, jobType, tags, displayName."""
    config: dict[str, Any] = field(default_factory=dict)
    history: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Rows by line number."""
    summary: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None


@dataclass
class WandbStub:
    """The state of the server; `broken` says which requests are answered by status 500."""

    url: str = ""
    runs: dict[str, StubRun] = field(default_factory=dict)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    """Inputs of createArtifact, with the key `id`."""
    committed: list[str] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    """Bodies of PUT requests by `<owner>/<name>`: a run's id or an artifact's id, and the file's name."""
    views: list[dict[str, Any]] = field(default_factory=list)
    """Reports: variables of upsertView."""
    absent_projects: set[str] = field(default_factory=set)
    operations: list[str] = field(default_factory=list)
    broken: re.Pattern[str] | None = None
    """Matches `<method> <path>`, or the name of a GraphQL operation."""
    lock: Lock = field(default_factory=Lock)

    def artifact_file(self, name: str) -> bytes:
        """The one uploaded artifact file of that name."""
        (found,) = [
            body for key, body in self.uploads.items() if key.startswith("artifact") and key.endswith("/" + name)
        ]
        return found

    def graphql(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        """The `data` of an answer; unknown operations get nothing."""
        answer = getattr(self, f"_on_{operation}", None)
        return {} if answer is None else answer(given)

    def stream(self, run_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """A piece of a run: lines of history at an offset, the summary, the end."""
        run = self.runs.setdefault(run_id, StubRun())
        files = body.get("files", {})
        if history := files.get("wandb-history.jsonl"):
            rows = enumerate(map(json.loads, history["content"]), start=history["offset"])
            run.history |= dict(rows)
        if summary := files.get("wandb-summary.json"):
            run.summary = json.loads(summary["content"][-1])
        if body.get("complete"):
            run.exit_code = body["exitcode"]
        return {"limits": {}}

    def _on_Viewer(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"viewer": USER}

    def _on_GetDefaultEntity(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"viewer": USER}

    def _on_ProjectInternalId(self, given: dict[str, Any]) -> dict[str, Any]:
        absent = given["projectName"] in self.absent_projects
        return {"project": None if absent else {"id": "project", "internalId": "internal"}}

    def _on_GetProjects(self, given: dict[str, Any]) -> dict[str, Any]:
        about = {"id": "project", "name": "suite", "entityName": given["entity"], "user": None, "isBenchmark": False}
        edges = [{"node": about | {"createdAt": "2030-01-01T00:00:00Z"}, "cursor": ""}]
        end = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
        return {"models": {"edges": edges, "pageInfo": end}}

    def _on_upsertView(self, given: dict[str, Any]) -> dict[str, Any]:
        self.views.append(given)
        project = {"id": "project", "name": given["projectName"], "entityName": given["entityName"]}
        view = {"id": "view", "type": "runs", "project": project, "updatedAt": None}
        shown = {key: given[key] for key in ("name", "displayName", "description", "spec")}
        return {"upsertView": {"view": view | shown, "inserted": True}}

    def _on_ServerFeaturesQuery(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"serverInfo": {"features": []}}

    def _on_RunResumeStatus(self, given: dict[str, Any]) -> dict[str, Any]:
        run = self.runs.get(given["name"])
        if run is None:
            return {"model": None}
        tail = [json.dumps(run.history[line]) for line in sorted(run.history)[-1:]]
        bucket = {
            "id": given["name"],
            "name": given["name"],
            "summaryMetrics": json.dumps(run.summary),
            "displayName": run.about.get("displayName"),
            "logLineCount": 0,
            "historyLineCount": len(run.history),
            "eventsLineCount": 0,
            "historyTail": json.dumps(tail),
            "eventsTail": "[]",
            "config": json.dumps(run.config),
            "tags": run.about.get("tags", []),
            "wandbConfig": json.dumps({"t": 1}),
        }
        return {"model": {"id": "project", "name": given["project"], "entity": _entity(given), "bucket": bucket}}

    def _on_UpsertBucket(self, given: dict[str, Any]) -> dict[str, Any]:
        run_id = given["name"]
        inserted = run_id not in self.runs
        run = self.runs.setdefault(run_id, StubRun())
        run.about |= {key: value for key, value in given.items() if value is not None}
        run.config |= json.loads(given["config"] or "{}")
        project = {"id": "project", "name": given["project"], "entity": _entity(given)}
        bucket = {"id": run_id, "name": run_id, "displayName": given["displayName"], "project": project}
        return {"upsertBucket": {"bucket": bucket | {"historyLineCount": len(run.history)}, "inserted": inserted}}

    def _on_CreateArtifact(self, given: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            number = f"artifact{len(self.artifacts)}"
            self.artifacts.append(given["input"] | {"id": number})
        return {"createArtifact": {"artifact": {"id": number, "state": "PENDING", "artifactSequence": {}}}}

    def _on_CreateArtifactManifest(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"createArtifactManifest": {"artifactManifest": self._manifest(given["artifactID"], given)}}

    def _on_UpdateArtifactManifest(self, given: dict[str, Any]) -> dict[str, Any]:
        owner = given["artifactManifestID"].removeprefix("manifest-")
        return {"updateArtifactManifest": {"artifactManifest": self._manifest(owner, given)}}

    def _manifest(self, artifact: str, given: dict[str, Any]) -> dict[str, Any]:
        file = {"id": "file", "uploadUrl": self._upload(artifact, "manifest"), "uploadHeaders": []}
        return {"id": f"manifest-{artifact}", "file": file}

    def _on_CreateArtifactFiles(self, given: dict[str, Any]) -> dict[str, Any]:
        nodes = []
        for wanted in given["input"]["artifactFiles"]:
            url = self._upload(wanted["artifactID"], wanted["name"])
            node = {"storagePath": wanted["name"], "uploadUrl": url, "uploadHeaders": []}
            nodes.append({"node": node | {"uploadMultipartUrls": None, "artifact": {"id": wanted["artifactID"]}}})
        return {"createArtifactFiles": {"files": {"edges": nodes}}}

    def _on_CommitArtifact(self, given: dict[str, Any]) -> dict[str, Any]:
        self.committed.append(given["artifactID"])
        return {"commitArtifact": {"artifact": {"id": given["artifactID"], "digest": ""}}}

    def _on_CreateRunFiles(self, given: dict[str, Any]) -> dict[str, Any]:
        run_id = given["run"]
        files = [{"name": name, "uploadUrl": self._upload(run_id, name)} for name in given["files"]]
        return {"createRunFiles": {"runID": run_id, "uploadHeaders": [], "files": files}}

    def _upload(self, owner: str, name: str) -> str:
        return f"{self.url}/upload/{owner}/{name}"


def _entity(given: dict[str, Any]) -> dict[str, Any]:
    return {"id": "entity", "name": given.get("entity") or USER["entity"]}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub: WandbStub

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def do_POST(self) -> None:
        body = json.loads(self._body() or b"{}")
        if self.path != "/graphql":
            stream = self.path.endswith("/file_stream")
            answer = partial(self.stub.stream, self.path.split("/")[-2], body) if stream else dict
            self._answer(f"POST {self.path}", answer)
            return
        named = OPERATION.search(body["query"])
        operation = named.group(1) if named else ""
        given = body.get("variables") or {}
        self._answer(operation, lambda: {"data": self.stub.graphql(operation, given)})

    def do_PUT(self) -> None:
        name, body = self.path.removeprefix("/upload/"), self._body()

        def keep() -> dict[str, Any]:
            self.stub.uploads[name] = body
            return {}

        self._answer(f"PUT {self.path}", keep)

    def _answer(self, request: str, answer: Any) -> None:
        with self.stub.lock:
            self.stub.operations.append(request)
        broken = self.stub.broken is not None and self.stub.broken.search(request)
        text = b"{}" if broken else json.dumps(answer()).encode()
        self.send_response(500 if broken else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _body(self) -> bytes:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may hang up without an answer."""


@contextmanager
def wandb_stub() -> Iterator[WandbStub]:
    """A running server on a free port of this machine."""
    stub = WandbStub()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"stub": stub}))
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""A hub on this machine: what huggingface_hub asks of one to make a repository, fill it, list it and read it."""

import base64
import hashlib
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_of_the_tests"
Files = dict[str, bytes]


@dataclass
class Hub:
    """What it holds and does.

    Attributes:
        repositories: by USER/NAME, the commits in order, each with its files.
        large: contents in its store for large files, by SHA-256.
        private: repositories that only who has the token sees.
        sizes: sizes that the listing names instead of the true ones.
        served: contents that are sent instead of the true ones.
        commit: what it calls every commit; None for its true name.
        requests: method and path of what came.
    """

    repositories: dict[str, dict[str, Files]] = field(default_factory=dict)
    large: Files = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    sizes: dict[str, int] = field(default_factory=dict)
    served: Files = field(default_factory=dict)
    commit: str | None = None
    requests: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def put(self, repository: str, files: Files) -> str:
        """Make a commit of these files, and return its name."""
        commits = self.repositories.setdefault(repository, {})
        content = repr((len(commits), sorted(files.items()))).encode()
        oid = hashlib.sha1(content).hexdigest()
        commits[oid] = dict(files)
        return oid

    def newest(self, repository: str) -> Files:
        """The files of the newest commit."""
        return list(self.repositories[repository].values())[-1]


def is_large(path: str) -> bool:
    return path.endswith((".pb", ".npz")) or ".data-" in path


def listed(hub: Hub, path: str, data: bytes) -> dict:
    """How a listing names a file: a large one by SHA-256, another one as git does."""
    size = hub.sizes.get(path, len(data))
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    entry = {"rfilename": path, "size": size, "blobId": blob}
    if is_large(path):
        entry["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": size, "pointerSize": 134}
    return entry


@contextmanager
def running(hub: Hub):
    """Run it; yields it with its address in `url`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            self.answer()

        def do_HEAD(self):
            self.answer()

        def do_POST(self):
            self.answer()

        def do_PUT(self):
            self.answer()

        def answer(self):
            path = unquote(urlsplit(self.path).path)
            hub.requests.append((self.command, path))
            body = self.body()
            for pattern, route in ROUTES:
                match = re.fullmatch(f"{self.command} {pattern}", f"{self.command} {path}")
                if match:
                    return route(self, body, **match.groupdict())
            return self.send(404, {"error": "no such page"})

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def send(self, code: int, answer: object, **headers: str):
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def known(self) -> bool:
            return self.headers.get("Authorization") == f"Bearer {TOKEN}"

        def commits(self, repository: str) -> dict[str, Files] | None:
            if repository in hub.private and not self.known():
                return None
            return hub.repositories.get(repository)

        def missing(self, what: str):
            return self.send(404, {"error": "not found"}, X_Error_Code=f"{what}NotFound")

    def create(self, body):
        wish = json.loads(body)
        name = "/".join(filter(None, (wish.get("organization"), wish["name"])))
        if not self.known():
            return self.send(401, {"error": "Invalid username or password."})
        if not name.startswith("ann/"):
            return self.send(403, {"error": f"You have no right to create {name}"})
        if wish.get("visibility") == "private":
            hub.private.add(name)
        code = 409 if name in hub.repositories else 200
        hub.repositories.setdefault(name, {})
        return self.send(code, {"url": f"{hub.url}/{name}"})

    def validate(self, body):
        ok = json.loads(body)["content"].startswith("---\n")
        return self.send(200 if ok else 400, {"errors": [], "warnings": []})

    def modes(self, body, repository, revision):
        files = json.loads(body)["files"]
        answers = [
            {"path": file["path"], "uploadMode": "lfs" if is_large(file["path"]) else "regular", "shouldIgnore": False}
            for file in files
        ]
        return self.send(200, {"files": answers})

    def batch(self, body, repository):
        objects = json.loads(body)["objects"]
        uploads = [{**one, "actions": {"upload": {"href": f"{hub.url}/store/{one['oid']}"}}} for one in objects]
        return self.send(200, {"transfer": "basic", "objects": uploads})

    def store(self, body, oid):
        assert hashlib.sha256(body).hexdigest() == oid
        hub.large[oid] = body
        return self.send(200, {})

    def commit(self, body, repository, revision):
        files = dict(hub.newest(repository)) if hub.repositories[repository] else {}
        for line in body.splitlines():
            entry = json.loads(line)
            if entry["key"] == "file":
                files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            elif entry["key"] == "lfsFile":
                files[entry["value"]["path"]] = hub.large[entry["value"]["oid"]]
        oid = hub.put(repository, files)
        return self.send(200, {"commitUrl": f"{hub.url}/{repository}/commit/{oid}", "commitOid": oid})

    def info(self, body, repository, revision=None):
        commits = self.commits(repository)
        if commits is None:
            return self.missing("Repo")
        oid = list(commits)[-1] if revision in (None, "main") else revision
        if oid not in commits:
            return self.missing("Revision")
        siblings = [listed(hub, path, data) for path, data in commits[oid].items()]
        return self.send(200, {"id": repository, "sha": hub.commit or oid, "siblings": siblings, "private": False})

    def resolve(self, body, repository, revision, path):
        commits = self.commits(repository) or {}
        if path not in commits.get(revision, {}):
            return self.missing("Entry")
        return self.send(200, hub.served.get(path, commits[revision][path]))

    name = r"(?P<repository>[\w.-]+/[\w.-]+)"
    ROUTES = (
        (r"/api/repos/create", create),
        (r"/api/validate-yaml", validate),
        (rf"/api/models/{name}/preupload/(?P<revision>\w+)", modes),
        (rf"/{name}\.git/info/lfs/objects/batch", batch),
        (r"/store/(?P<oid>\w+)", store),
        (rf"/api/models/{name}/commit/(?P<revision>\w+)", commit),
        (rf"/api/models/{name}(?:/revision/(?P<revision>.+))?", info),
        (rf"/{name}/resolve/(?P<revision>\w+)/(?P<path>.+)", resolve),
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""The Hugging Face hub on this machine: serves folders as models, and can be told to behave as the real one does at times."""

import contextlib
import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """``models``: id → folder. Of ``refused`` ids it says "RepoNotFound" or "GatedRepo"; of ``cut`` files it gives half, once."""

    models: dict[str, Path] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    given: list[str] = field(default_factory=list)  # files whose bodies were sent
    closed: bool = False

    def __post_init__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"hub": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        """Hang up: on new callers, and on those whose line is still open."""
        self.closed = True
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        if self.hub.closed:
            self.close_connection = True
            return
        with contextlib.suppress(ConnectionError):
            parts = unquote(urlsplit(self.path).path).strip("/").split("/")
            api = parts[:2] == ["api", "models"]
            name, rest = ("/".join(parts[2:4]), parts[4:]) if api else ("/".join(parts[:2]), parts[2:])
            if name in self.hub.refused or name not in self.hub.models:
                kind = self.hub.refused.get(name, "RepoNotFound")
                self._send(403 if kind == "GatedRepo" else 404, b"{}", {"X-Error-Code": kind})
            elif (rest[1:2] or ["main"])[0] not in ("main", COMMIT):
                self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            elif api:
                self._send(200, json.dumps(self._about(name, tree=rest[:1] == ["tree"])).encode())
            else:
                self._file(name, "/".join(rest[2:]))

    def _about(self, name: str, tree: bool):
        folder = self.hub.models[name]
        files = {p.relative_to(folder).as_posix(): p.stat().st_size for p in sorted(folder.rglob("*")) if p.is_file()}
        if tree:
            return [{"type": "file", "path": path, "size": size, "oid": "0" * 40} for path, size in files.items()]
        rows = [{"rfilename": path, "size": size, "blobId": "0" * 40} for path, size in files.items()]
        return {"_id": "0", "id": name, "modelId": name, "sha": COMMIT, "siblings": rows, "private": False, "tags": []}

    def _file(self, name: str, path: str) -> None:
        file = self.hub.models[name] / path
        if not file.is_file():
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        data = file.read_bytes()
        start = 0
        if wanted := self.headers.get("Range"):
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
        more = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if self.command == "GET":
            self.hub.given.append(f"{name}/{path}")
            if f"{name}/{path}" in self.hub.cut:
                self.hub.cut.discard(f"{name}/{path}")
                self._send(200, data[: len(data) // 2], {**more, "Content-Length": str(len(data))})
                self.close_connection = True
                return
        if start:
            more["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self._send(206 if start else 200, data[start:], more)

    def _send(self, status: int, body: bytes, headers: dict | None = None) -> None:
        self.send_response(status)
        usual = {"Content-Length": str(len(body)), "Content-Type": "application/json"}
        for key, value in {**usual, **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

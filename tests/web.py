"""A web of one machine: a server that behaves as a plain file host and as Google Drive do, and counts what it gives.

A test takes the fixture ``web``. ``web.put("/a.zip", data)`` makes a file at ``web.url + "/a.zip"``;
``web.drive(data)`` makes one of Drive, whose link it returns. Both give or take an :class:`Item`, in which every
behaviour that a server may show can be set, at any time. In a process of its own, ``reroute(port)`` sends what is meant
for Google's hosts to the server; gdown and requests stay as they are.
"""

import contextlib
import html
import json
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import requests

GOOGLE = ("drive.google.com", "drive.usercontent.google.com", "docs.google.com", "accounts.google.com")


@dataclass
class Item:
    """One file of the server: its bytes, how it is served, and what was served.

    ``data`` is bytes, or anything with a length and ``read(start, stop)``. A list is used up by one entry a request.
    """

    data: object
    name: str = "file.bin"
    kind: str = "application/octet-stream"  # Content-Type
    ranges: bool = True  # whether parts are served
    etag: str | None = '"first"'
    honours_if_range: bool = True
    cuts: list[int] = field(default_factory=list)  # break the connection off after so many bytes of the body
    statuses: list[int] = field(default_factory=list)  # answer with these first
    retry_after: str | None = None  # sent with a status
    announce: int | None = None  # a wrong Content-Length
    most: int | None = None  # give no more bytes than these for one asked range
    chunked: bool = False  # no Content-Length at all
    pause: float = 0.0  # seconds before each 64 kB
    once_served: object = None  # called after each body, for a file that changes meanwhile
    page: str | None = None  # Drive only: "confirm", "quota", "private", "share", "document"
    # counted:
    requests: int = 0
    served: int = 0  # bytes of bodies, of those broken off the piece on its way too
    starts: list[int] = field(default_factory=list)  # first byte of each body

    def read(self, start: int, stop: int) -> bytes:
        return self.data[start:stop] if isinstance(self.data, bytes) else self.data.read(start, stop)


class Web:
    """The running server."""

    def __init__(self):
        self.items: dict[str, Item] = {}
        self.files: dict[str, Item] = {}  # Drive's, by id
        self.folders: dict[str, tuple[str, list]] = {}  # id → its name, [(id, name, is a folder)]
        self._server = _Server(("127.0.0.1", 0), type("Bound", (_Handler,), {"web": self}))
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def put(self, path: str, data=b"", **behaviour) -> Item:
        """A file of the plain host."""
        self.items[path] = Item(data, name=path.rpartition("/")[2], **behaviour)
        return self.items[path]

    def redirect(self, path: str, to: str) -> None:
        self.items[path] = Item(b"", kind=f"redirect {to}")

    def drive(self, data=b"", name: str = "pack.zip", **behaviour) -> tuple[str, Item]:
        """A file of Drive: its share link and its item. ``page="confirm"`` is what a large file has."""
        id = f"1DriveFile{len(self.files):022d}"
        self.files[id] = Item(data, name=name, **behaviour)
        return f"https://drive.google.com/file/d/{id}/view?usp=sharing", self.files[id]

    def folder(self, name: str, children: list[tuple[str, str]]) -> str:
        """A shared folder of (link, name): the link of it, which may be the child of another."""
        id = f"1DriveFolder{len(self.folders):021d}"
        rows = []
        for link, child in children:
            parts = urlsplit(link).path.split("/")
            rows.append((parts[3], child, parts[1] == "drive"))
        self.folders[id] = (name, rows)
        return f"https://drive.google.com/drive/folders/{id}?usp=sharing"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A client that hangs up is what these tests are about; anything else is an error of the server's own."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body go out at once: 40 ms a request less
    web: Web

    def log_message(self, *_):
        pass

    def handle(self):
        with contextlib.suppress(ConnectionError):  # a client that was killed
            super().handle()

    def do_GET(self):
        host = self.headers["Host"].partition(":")[0]
        try:
            self._google(host) if host in GOOGLE else self._plain()
        except (BrokenPipeError, ConnectionResetError):  # the client has gone
            self.close_connection = True

    def _plain(self):
        item = self.web.items.get(urlsplit(self.path).path)
        if item is None:
            self._page("<html><body>Not found</body></html>", 404)
        elif item.kind.startswith("redirect "):
            item.requests += 1
            self._redirect(item.kind.removeprefix("redirect "))
        else:
            self._file(item)

    def _google(self, host: str):
        parts = urlsplit(self.path)
        id = parse_qs(parts.query).get("id", [""])[0]
        if host == "accounts.google.com":
            return self._page("<html><title>Google Drive: Sign-in</title></html>")
        if parts.path.startswith("/drive/folders/") or parts.path == "/embeddedfolderview":
            return self._folder(id or parts.path.split("/")[3], parts.path == "/embeddedfolderview")
        item = self.web.files.get(id)
        if item is None:
            return self._page("<html><body>Sorry, the file you have requested does not exist.</body></html>", 404)
        if item.page == "private":
            return self._redirect("https://accounts.google.com/ServiceLogin?continue=" + id)
        if item.page == "quota":
            return self._page(
                "<html><title>Google Drive - Quota exceeded</title>\n"
                '<p class="uc-error-caption">Sorry, you can&#39;t view or download this file at this time.</p>\n'
                '<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently. Please '
                "try accessing the file again later.</p></html>"
            )
        if item.page in ("share", "document"):
            title = "pack.zip - Google Drive" if item.page == "share" else "Essay - Google Docs"
            return self._page(f"<html><head><title>{title}</title></head><body>a viewer</body></html>")
        confirmed = "confirm=t" in parts.query
        if item.page == "confirm" and not confirmed:
            return self._page(
                "<html><title>Google Drive - Virus scan warning</title><body>\n"
                '<form id="download-form" action="https://drive.usercontent.google.com/download" method="get">'
                f'<input type="hidden" name="id" value="{id}"><input type="hidden" name="export" value="download">'
                '<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="3f-0">'
                "</form>\n</body></html>"
            )
        if host == "drive.google.com":
            return self._redirect(f"https://drive.usercontent.google.com/download?id={id}&export=download")
        self._file(item, {"Content-Disposition": f'attachment; filename="{item.name}"'})

    def _folder(self, id: str, embedded: bool):
        if id not in self.web.folders:
            return self._page("<html><body>not here</body></html>", 404)
        name, rows = self.web.folders[id]
        if embedded:  # what gdown 6 reads
            links = {
                True: "https://drive.google.com/drive/folders/{}",
                False: "https://drive.google.com/file/d/{}/view",
            }
            body = "".join(
                f'<a href="{links[folder].format(child)}">{html.escape(title)}</a>' for child, title, folder in rows
            )
            return self._page(f"<html><head><title>{html.escape(name)}</title></head><body>{body}</body></html>")
        kinds = {True: "application/vnd.google-apps.folder", False: "application/octet-stream"}
        data = json.dumps([[[child, [id], title, kinds[folder]] for child, title, folder in rows]], ensure_ascii=False)
        data = "".join(
            f"\\x{ord(letter):02x}" if letter.isascii() and not letter.isalnum() else letter for letter in data
        )
        self._page(  # what gdown 5 reads
            f"<html><head><title>{html.escape(name)} - Google Drive</title></head>"
            f"<body><script>window['_DRIVE_ivd'] = '{data}';</script></body></html>"
        )

    def _page(self, text: str, status: int = 200):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _redirect(self, to: str):
        self.send_response(302)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _file(self, item: Item, headers: dict[str, str] | None = None):
        item.requests += 1
        if item.statuses:
            self.send_response(item.statuses.pop(0))
            if item.retry_after is not None:
                self.send_header("Retry-After", item.retry_after)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        size = len(item.data)
        start, stop, partial = 0, size, False
        asked = self.headers.get("Range")
        validator = self.headers.get("If-Range")
        if asked and item.ranges and (validator in (None, item.etag) or not item.honours_if_range):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, stop, partial = int(first), min(size, int(last) + 1) if last else size, True
            stop = stop if item.most is None else min(stop, start + item.most)
            if start >= size:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
        self.send_response(206 if partial else 200)
        if partial:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        if item.etag:
            self.send_header("ETag", item.etag)
        self.send_header("Content-Type", item.kind)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if item.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(stop - start if item.announce is None else item.announce))
        self.end_headers()
        item.starts.append(start)
        cut = item.cuts.pop(0) if item.cuts else None
        end = stop if cut is None else min(stop, start + cut)
        if item.announce is not None:
            end = min(end, start + item.announce)
        for at in range(start, end, 65_536):
            time.sleep(item.pause)
            piece = item.read(at, min(at + 65_536, end))
            item.served += len(piece)  # before the client has it: who waits for the client finds it counted
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if item.chunked else piece)
        if item.chunked and cut is None:
            self.wfile.write(b"0\r\n\r\n")
        if item.once_served is not None:
            item.once_served(item)
        if cut is not None or (item.announce is not None and end - start < item.announce):
            self.close_connection = True


@contextlib.contextmanager
def reroute(port: int):
    """What requests sends to Google's hosts goes to the server on this port; answers keep Google's addresses."""
    send = requests.adapters.HTTPAdapter.send

    def rerouted(self, request, *args, **kwargs):
        parts = urlsplit(request.url)
        if parts.hostname not in GOOGLE:
            return send(self, request, *args, **kwargs)
        there = request.copy()
        there.url = f"http://127.0.0.1:{port}{parts.path}{'?' + parts.query if parts.query else ''}"
        there.headers["Host"] = parts.hostname
        answer = send(self, there, *args, **kwargs)
        answer.url, answer.request = request.url, request
        return answer

    requests.adapters.HTTPAdapter.send = rerouted
    try:
        yield
    finally:
        requests.adapters.HTTPAdapter.send = send


@contextlib.contextmanager
def serving():
    """A server, with Google's hosts rerouted to it in this process."""
    server = Web()
    try:
        with reroute(server.port):
            yield server
    finally:
        server.close()

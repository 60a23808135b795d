"""Fetching: whole files, Google Drive, and members of zips by range, from a server on this machine."""

import errno
import hashlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import types
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import s2i_teach.data_sources.archives as archives
import s2i_teach.data_sources.download as download
import s2i_teach.data_sources.drive as drive
import s2i_teach.data_sources.web as net
from s2i_teach.data_sources.archives import Member, NoRanges, open_archive
from s2i_teach.data_sources.download import cached, check_space, fetch
from s2i_teach.data_sources.drive import drive_id, list_folder, mounted
from s2i_teach.errors import InputError
from tests.peak import PEAK
from tests.sketch_zip import SketchZip

ROOT = Path(__file__).resolve().parents[1]
DATA = random.Random(0).randbytes(700_001)
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The pauses of a patient program, shortened."""
    monkeypatch.setattr(net, "PAUSE", 0.01)
    monkeypatch.setattr(net, "TIMEOUT", (2.0, 0.4))


OTHER_GDOWN = ROOT / ".venv" / "gdown5"
"""Where ``make test`` puts the gdown that Colab has, without touching the one that is installed."""


@pytest.fixture(params=["installed", "Colab's"])
def each_gdown(request, monkeypatch):
    """The installed gdown, and Colab's."""
    other = str(OTHER_GDOWN)
    if request.param == "Colab's":
        if not OTHER_GDOWN.is_dir():
            pytest.skip("Colab's gdown is not there: make test installs it")
        monkeypatch.syspath_prepend(other)
    for name in [name for name in sys.modules if name.partition(".")[0] == "gdown"]:
        monkeypatch.delitem(sys.modules, name)
    import gdown

    assert (request.param == "Colab's") == gdown.__file__.startswith(other)
    yield gdown
    for name in [name for name in sys.modules if name.partition(".")[0] == "gdown"]:
        del sys.modules[name]


def zipped(files: dict[str, bytes], method=zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def refused(*args, **kwargs) -> str:
    """fetch's refusal: one sentence, and no file at the place."""
    with pytest.raises(InputError) as caught:
        fetch(*args, quiet=True, **kwargs)
    return one_sentence(caught.value)


def one_sentence(error: Exception) -> str:
    words = str(error)
    assert "\n" not in words and words.endswith(".") and ". " not in words.replace("… ", ""), words
    return words


def in_cache(cache: Path) -> list[str]:
    """What lies in the cache for a reader: nothing half-written may."""
    return sorted(path.name for path in (cache / "downloads").glob("*") if path.name != ".state")


# Whole files


def test_a_file_is_fetched_once(web, tmp_path):
    item = web.put("/a.bin", DATA)
    path = fetch(web.url + "/a.bin", quiet=True)
    assert path.read_bytes() == DATA and path.parent == tmp_path / "cache" / "downloads"
    again = [
        fetch(web.url + "/a.bin", quiet=True, sha256=sha, size=size) for sha in (None, SHA) for size in (None, 700_001)
    ]
    assert set(again) == {path} and item.requests == 1
    assert fetch(web.url + "/a.bin", offline=True) == path == cached(web.url + "/a.bin")
    to = fetch(web.url + "/a.bin", to=tmp_path / "new" / "b.bin", sha256=SHA.upper(), quiet=True)
    assert to.read_bytes() == DATA and os.listdir(to.parent) == ["b.bin"] and item.requests == 2


def test_two_addresses_that_end_alike_are_two_files(web):
    web.put("/one/data.zip", zipped({"a": b"1"}))
    web.put("/two/data.zip", zipped({"a": b"2"}))
    one, two = (fetch(f"{web.url}/{folder}/data.zip", quiet=True) for folder in ("one", "two"))
    assert one != two and zipfile.ZipFile(two).read("a") == b"2"


def test_the_hash_is_checked_once_and_remembered(web, monkeypatch):
    web.put("/a.bin", DATA)
    path = fetch(web.url + "/a.bin", name="a.bin", quiet=True)
    hashed = []
    monkeypatch.setattr(download, "_hash_of", lambda path: hashed.append(path) or SHA)
    fetch(web.url + "/a.bin", name="a.bin", sha256=SHA, quiet=True)
    assert hashed == []  # it was hashed as it came
    os.utime(path, (1, 1))
    for _ in range(2):
        fetch(web.url + "/a.bin", name="a.bin", sha256=SHA, quiet=True)
    assert len(hashed) == 1


def test_a_damaged_file_in_the_cache_is_fetched_anew(web):
    item = web.put("/a.bin", DATA)
    path = fetch(web.url + "/a.bin", sha256=SHA, quiet=True)
    path.write_bytes(DATA[:-1] + b"?")
    assert fetch(web.url + "/a.bin", sha256=SHA, quiet=True).read_bytes() == DATA and item.requests == 2


def test_offline_asks_nobody(web, monkeypatch):
    item = web.put("/a.bin", DATA)
    assert "offline" in refused(web.url + "/a.bin", offline=True)
    monkeypatch.setenv("S2I_OFFLINE", "1")
    assert "offline" in refused(web.url + "/a.bin")
    with pytest.raises(InputError, match="offline"):
        open_archive(web.url + "/a.zip")
    monkeypatch.setenv("S2I_OFFLINE", "0")
    fetch(web.url + "/a.bin", quiet=True)
    assert item.requests == 1


@pytest.mark.parametrize("sha256", [None, SHA])
def test_a_cut_transfer_is_continued(web, sha256):
    item = web.put("/a.bin", DATA, cuts=[200_000, 100_000, 150_000])
    assert fetch(web.url + "/a.bin", sha256=sha256, quiet=True).read_bytes() == DATA
    assert item.starts[0] == 0 and item.starts == sorted(item.starts) and item.starts[3] >= 450_000 - 3 * net.CHUNK
    assert item.served <= len(DATA) + 3 * net.CHUNK


def test_a_cut_that_stays_is_told_and_continued_by_the_next_call(web, tmp_path, monkeypatch):
    monkeypatch.setattr(net, "TRIES", 2)
    item = web.put("/a.bin", DATA, cuts=[400_000, 0, 0, 0, 0])
    assert "run it again" in refused(web.url + "/a.bin")
    assert in_cache(tmp_path / "cache") == []
    item.cuts.clear()
    assert fetch(web.url + "/a.bin", quiet=True).read_bytes() == DATA
    assert item.starts[-1] >= 196_608


def test_a_server_without_ranges_begins_anew(web):
    item = web.put("/a.bin", DATA, ranges=False, cuts=[400_000])
    assert fetch(web.url + "/a.bin", quiet=True).read_bytes() == DATA
    assert item.starts == [0, 0]


def test_patience_is_renewed_by_progress(web, monkeypatch):
    monkeypatch.setattr(net, "TRIES", 2)
    item = web.put("/a.bin", DATA, cuts=[100_000] * 8)
    assert fetch(web.url + "/a.bin", quiet=True).read_bytes() == DATA and item.requests == 9


def test_a_server_that_always_cuts_ends(web, monkeypatch):
    monkeypatch.setattr(net, "TRIES", 3)
    item = web.put("/a.bin", DATA, ranges=False, cuts=[300_000] * 50)
    assert "broke off" in refused(web.url + "/a.bin")
    assert item.requests < 10


@pytest.mark.parametrize("honours", [True, False])
@pytest.mark.parametrize("sha256", [True, False])
@pytest.mark.parametrize("new", [DATA[::-1], DATA[::-1] + b"more", DATA[:200_000][::-1]])
def test_a_file_that_changes_between_the_halves_is_no_mixture(web, honours, sha256, new):
    def change(item):
        item.data, item.etag, item.once_served = new, '"second"', None

    item = web.put("/a.bin", DATA, cuts=[400_000], once_served=change, honours_if_range=honours)
    sha256 = hashlib.sha256(new).hexdigest() if sha256 else None
    assert fetch(web.url + "/a.bin", quiet=True, sha256=sha256).read_bytes() == new
    assert not honours or item.requests == 2  # the server was told which file we have the half of


@pytest.mark.parametrize("sha256", [True, False])
def test_a_file_that_changes_and_has_no_etag(web, sha256):
    def change(item):
        item.data, item.once_served = DATA[::-1], None

    item = web.put("/a.bin", DATA, cuts=[400_000], once_served=change, etag=None)
    sha256 = hashlib.sha256(DATA[::-1]).hexdigest() if sha256 else None
    assert fetch(web.url + "/a.bin", quiet=True, sha256=sha256).read_bytes() == DATA[::-1]
    assert item.starts[-1] == 0


def test_a_transfer_goes_on_at_the_second_location_where_the_hash_is_known(web, monkeypatch):
    monkeypatch.setattr(net, "TRIES", 1)
    first = web.put("/a.bin", DATA, cuts=[500_000])
    second = web.put("/b.bin", DATA, etag='"other"')
    path = fetch([web.url + "/a.bin", web.url + "/b.bin"], sha256=SHA, quiet=True)
    assert path.read_bytes() == DATA and first.requests == 1 and second.starts[0] >= 196_608


def test_without_a_hash_the_second_location_begins_anew(web, monkeypatch):
    monkeypatch.setattr(net, "TRIES", 1)
    web.put("/a.bin", DATA, cuts=[500_000])
    second = web.put("/b.bin", DATA[::-1], etag='"first"')
    path = fetch([web.url + "/a.bin", web.url + "/b.bin"], quiet=True)
    assert path.read_bytes() == DATA[::-1] and second.starts == [0]


def test_each_location_is_told(web):
    web.put("/page.zip", b"<!DOCTYPE html><html>Log in</html>", kind="text/html")
    web.put("/busy.zip", DATA, statuses=[503] * 20, retry_after="0")
    words = refused([web.url + "/page.zip", web.url + "/busy.zip", web.url + "/none.zip"], name="pack.zip")
    assert words.startswith("pack.zip cannot be fetched (127.0.0.1 answers with a web page")
    assert "too busy (503)" in words and "does not have it (404)" in words and words.endswith("some minutes.")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(web, status):
    item = web.put("/a.bin", DATA, statuses=[status, status], retry_after="0")
    assert fetch(web.url + "/a.bin", quiet=True).read_bytes() == DATA and item.requests == 3


@pytest.mark.parametrize("value, wait", [("2", 2), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("soon", None), (None, None)])
def test_retry_after(value, wait):
    assert net._retry_after(value) == wait


@pytest.mark.parametrize(
    "behaviour, wanted, words",
    [
        ({"statuses": [404] * 2}, {}, "does not have it (404)"),
        ({"statuses": [403] * 2}, {}, "does not give it to everybody (403)): ask its owner"),
        ({}, {"sha256": "0" * 64}, "another file there (sha256"),
        ({}, {"size": 5}, "another file there (700001 bytes, not 5)"),
        ({"chunked": True, "etag": None}, {"size": 5}, "another file there (700001 bytes, not 5)"),
        ({"kind": "text/html"}, {}, "a web page instead of the file"),
        ({"announce": 800_000}, {}, "changed the file during the transfer): try again"),
        ({"announce": 600_000}, {"sha256": SHA}, "another file there"),
        ({"announce": 600_000}, {"size": 700_001}, "another file there"),
        ({"pause": 1.0}, {}, "0 s"),
    ],
)
def test_refusals(web, tmp_path, monkeypatch, behaviour, wanted, words):
    monkeypatch.setattr(net, "TRIES", 2)
    web.put("/a.bin", DATA, **behaviour)
    assert words in refused(web.url + "/a.bin", **wanted)
    assert in_cache(tmp_path / "cache") == []
    assert "cannot be fetched" in refused(web.url + "/a.bin", to=tmp_path / "mine" / "a.bin", **wanted)
    assert not (tmp_path / "mine").exists() or os.listdir(tmp_path / "mine") == []


@pytest.mark.parametrize("data", [b"  <!DOCTYPE html><p>Share</p>", zipped({"a": DATA})[:-40], b"", DATA])
def test_what_is_no_zip_is_not_taken_for_one(web, tmp_path, data):
    """A page under another content type, a truncated zip, nothing, anything."""
    web.put("/a.zip", data)
    words = refused(web.url + "/a.zip")
    assert "web page" in words or "no whole zip" in words
    assert in_cache(tmp_path / "cache") == []


def test_files_of_unknown_length_and_empty_ones(web):
    web.put("/a.bin", DATA, chunked=True)
    web.put("/b.bin", b"")
    web.put("/c.html", b"<html></html>", kind="text/html")
    assert fetch(web.url + "/a.bin", quiet=True).read_bytes() == DATA
    assert fetch(web.url + "/b.bin", quiet=True).read_bytes() == b""
    assert fetch(web.url + "/c.html", quiet=True).read_bytes() == b"<html></html>"


def test_no_network(monkeypatch, tmp_path):
    monkeypatch.setenv("S2I_CACHE", str(tmp_path))
    pauses = []
    monkeypatch.setattr(net, "time", types.SimpleNamespace(sleep=pauses.append))
    words = refused(["http://127.0.0.1:9/a.bin", "http://nowhere.invalid/a.bin"])
    assert words.count("cannot be reached") == 2 and words.endswith("check your network connection.")
    assert pauses == []  # nobody waits for a network that is not there


@pytest.mark.parametrize("url", ["", "a.zip", "ftp://example.org/a", "http://", "https:///x", "file:///etc/passwd"])
def test_no_web_address(url):
    assert "begins with https" in refused(url)


def test_what_fetch_is_asked(web, tmp_path):
    assert "sha256" in refused(web.url, sha256="12")
    assert "No address" in refused([])
    assert "plain file name" in refused(web.url + "/a", name="../a")
    assert "is a folder" in refused(web.url + "/a", to=tmp_path)
    (tmp_path / "mine.bin").write_bytes(b"my own work")
    web.put("/a.bin", DATA)
    assert "exists and is not the file" in refused(web.url + "/a.bin", to=tmp_path / "mine.bin", sha256=SHA)
    assert (tmp_path / "mine.bin").read_bytes() == b"my own work"


def test_redirects_are_followed_and_without_end_refused(web):
    web.put("/a.bin", DATA)
    web.redirect("/old.bin", "/a.bin")
    web.redirect("/loop.bin", "/loop.bin")
    assert fetch(web.url + "/old.bin", quiet=True).read_bytes() == DATA
    assert "without end" in refused(web.url + "/loop.bin")


def test_a_full_disk(web, tmp_path, monkeypatch):
    item = web.put("/a.bin", DATA, pause=0.02)
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 1000))
        words = refused(web.url + "/a.bin")
        assert "1.0 kB free" in words and "700 kB are needed" in words and item.served < len(DATA)
    with monkeypatch.context() as patch:
        full = OSError(errno.ENOSPC, "No space left on device")

        class Full(io.FileIO):
            def write(self, data):
                if self.tell() > 200_000:
                    raise full
                return super().write(data)

        patch.setattr(download, "open", lambda path, mode, **_: Full(path, mode), raising=False)
        assert "No space left on device" in refused(web.url + "/a.bin")
    assert in_cache(tmp_path / "cache") == []
    assert fetch(web.url + "/a.bin", quiet=True).read_bytes() == DATA
    assert item.starts[-1] > 0  # what had found room was kept


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no second disk")
def test_a_place_on_another_disk(web, tmp_path):
    web.put("/a.bin", DATA)
    if os.stat("/dev/shm").st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("one disk only")
    to = Path("/dev/shm") / f"s2i-test-{os.getpid()}" / "a.bin"
    try:
        assert fetch(web.url + "/a.bin", to=to, quiet=True).read_bytes() == DATA
        assert os.listdir(to.parent) == ["a.bin"] and not list(tmp_path.rglob("*.part"))
    finally:
        shutil.rmtree(to.parent)


def test_a_cache_that_cannot_be_made(web, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("S2I_CACHE", str(tmp_path / "file" / "cache"))
    assert "set S2I_CACHE" in refused(web.url + "/a.bin")


def test_check_space(tmp_path):
    check_space(tmp_path / "not" / "yet", 1000)
    with pytest.raises(InputError, match="1000.0 TB are needed|1000 TB are needed"):
        check_space(tmp_path / "not" / "yet", 10**15)


def test_readable():
    sizes = {
        0: "0 bytes",
        999: "999 bytes",
        1000: "1.0 kB",
        99_960: "100 kB",
        999_600: "1.0 MB",
        7_800_000_000: "7.8 GB",
    }
    assert {size: net.readable(size) for size in sizes} == sizes


FETCH = """
import sys, hashlib
sys.path.insert(0, {root!r})
import s2i_teach.data_sources.web as net
net.CHUNK = 16_384
import s2i_teach.data_sources.download as download
download.CHUNK = 16_384
path = download.fetch({url!r}, sha256={sha!r}, quiet=True)
print(hashlib.sha256(path.read_bytes()).hexdigest())
"""


def run_fetch(url: str, sha: str | None, **environment) -> subprocess.Popen:
    code = FETCH.format(root=str(ROOT), url=url, sha=sha)
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )


def test_a_kill_at_any_point_loses_little_and_spoils_nothing(web, tmp_path):
    """SIGKILL at ten random points; the next run ends with the same file, and nothing whole is fetched again."""
    chance, most = random.Random(6), 0
    for number in range(10):
        item = web.put(f"/{number}.bin", DATA, pause=0.02)
        target = chance.randrange(len(DATA) - 70_000)  # the last bytes are on their way after the kill at the earliest
        process = run_fetch(f"{web.url}/{number}.bin", SHA if number % 2 else None)
        while item.served < target and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not any(name.endswith(f"{number}.bin") for name in in_cache(tmp_path / "cache"))
        item.pause, kept = 0.0, sum(part.stat().st_size for part in (tmp_path / "cache").rglob("*.part"))
        most = max(most, kept)
        path = fetch(f"{web.url}/{number}.bin", sha256=SHA if number % 2 else None, quiet=True)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA
        assert item.starts[-1] == kept
        count = item.requests
        fetch(f"{web.url}/{number}.bin", sha256=SHA if number % 2 else None, quiet=True)
        assert item.requests == count
    assert most > 300_000  # some of them had come far


def test_processes_that_want_the_same_file_fetch_it_once(web):
    item = web.put("/a.bin", DATA, pause=0.03)
    processes = [run_fetch(web.url + "/a.bin", SHA) for _ in range(4)]
    assert [process.communicate(timeout=60)[0].strip() for process in processes] == [SHA] * 4
    assert item.requests == 1


def test_threads_that_want_the_same_file_fetch_it_once(web):
    item, found = web.put("/a.bin", DATA, pause=0.01), []
    threads = [
        threading.Thread(target=lambda: found.append(fetch(web.url + "/a.bin", sha256=SHA, quiet=True)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1 and len(found) == 4 and item.requests == 1


# Google Drive

ID = "1Mj0i5HBthqH1p_yeXzsg22gZduvgoNeA"


@pytest.mark.parametrize(
    "link, kind",
    [
        (f"https://drive.google.com/file/d/{ID}/view?usp=sharing", "file"),
        (f"https://drive.google.com/file/d/{ID}", "file"),
        (f"https://drive.google.com/file/u/1/d/{ID}/edit", "file"),
        (f"https://drive.google.com/open?id={ID}&authuser=0", "file"),
        (f"https://drive.google.com/uc?id={ID}", "file"),
        (f"https://drive.google.com/uc?export=download&id={ID}", "file"),
        (f"https://docs.google.com/uc?export=download&id={ID}", "file"),
        (f"https://drive.usercontent.google.com/download?id={ID}&export=download&confirm=t", "file"),
        (f" http://drive.google.com/file/d/{ID}/preview\n", "file"),
        (f"https://drive.google.com/drive/folders/{ID}?usp=sharing", "folder"),
        (f"https://drive.google.com/drive/u/0/folders/{ID}", "folder"),
        (f"https://drive.google.com/drive/mobile/folders/{ID}", "folder"),
        (f"https://drive.google.com/embeddedfolderview?id={ID}#list", "folder"),
    ],
)
def test_links_of_drive(link, kind):
    assert drive_id(link) == (ID, kind)


@pytest.mark.parametrize(
    "text", [ID, "", "sketches.zip", f"https://drive.google.com.evil.org/uc?id={ID}", "https://a.b"]
)
def test_no_links_of_drive(text):
    assert drive_id(text) is None


@pytest.mark.parametrize(
    "link, words",
    [
        (f"https://docs.google.com/document/d/{ID}/export?format=pdf", "is a Google document"),
        (f"https://docs.google.com/spreadsheets/d/{ID}/edit#gid=0", "is a Google document"),
        ("https://drive.google.com/drive/my-drive", "names no file"),
        ("https://drive.google.com/uc?id=../../etc", "names no file"),
    ],
)
def test_links_that_cannot_be_used(link, words):
    with pytest.raises(InputError, match=words) as caught:
        drive_id(link)
    one_sentence(caught.value)


@pytest.mark.parametrize("page", [None, "confirm"])
def test_a_file_of_drive(web, each_gdown, page):
    data = zipped({"a.png": DATA})
    link, item = web.drive(data, page=page, cuts=[300_000])
    path = fetch(link, name="pack.zip", quiet=True)
    assert path.read_bytes() == data and item.starts[0] == 0 and item.starts[1] >= 196_608
    assert fetch(link, name="pack.zip", quiet=True) == path and item.requests == 2


@pytest.mark.parametrize(
    "page, words",
    [
        ("quota", "too many people today (quota)): try again tomorrow"),
        ("private", "does not show it to everybody): ask its owner"),
        ("share", "answers with a web page instead of the file"),
        ("document", "answers with a web page instead of the file"),
        ("gone", "does not have it (404)"),
    ],
)
def test_refusals_of_drive(web, tmp_path, each_gdown, page, words):
    link, item = web.drive(DATA, page=page)
    if page == "gone":
        web.files.clear()
    assert words in refused(link, name="pack.zip")
    assert in_cache(tmp_path / "cache") == [] and item.served == 0
    web.put("/pack.zip", zipped({"a": b"b"}))
    assert fetch([link, web.url + "/pack.zip"], name="pack.zip", quiet=True).exists()


def test_a_quota_that_ends_a_transfer_half_way(web, monkeypatch):
    def used_up(item):
        item.page = "quota"

    data = zipped({"a.png": DATA})
    link, item = web.drive(data, page="confirm", cuts=[400_000], once_served=used_up)
    assert "quota" in refused(link, name="pack.zip")
    item.page, item.once_served = "confirm", None
    assert fetch(link, name="pack.zip", quiet=True).read_bytes() == data and item.starts[-1] >= 196_608


def test_a_shared_folder(web, each_gdown):
    one, _ = web.drive(b"1")
    two, _ = web.drive(b"2")
    inner = web.folder("cats", [(two, "b & ü.png")])
    link = web.folder("Sketches", [(inner, "cats"), (one, "a.png")])
    files = list_folder(link)
    assert [file.path for file in files] == ["a.png", "cats/b & ü.png"]
    assert fetch(files[1].url, quiet=True).read_bytes() == b"2"
    with pytest.raises(InputError, match="not the link of a Drive folder"):
        list_folder(one)
    with pytest.raises(InputError, match="is a Drive folder"):
        fetch(link, quiet=True)
    with pytest.raises(InputError, match="ask its owner to share"):
        list_folder("https://drive.google.com/drive/folders/" + "x" * 30)
    with pytest.raises(InputError, match="cannot be listed offline"):
        list_folder(link, offline=True)
    web.close()
    with pytest.raises(InputError, match="check your network"):
        list_folder(link)


def test_a_shared_folder_whose_names_lead_out(web, each_gdown):
    """Either gdown's own cleaning or ours: no name leaves the folder."""
    one, _ = web.drive(b"1")
    inner = web.folder("..", [(one, "a.png")])
    link = web.folder("Sketches", [(inner, "..")])
    try:
        paths = [file.path for file in list_folder(link)]
    except InputError as error:
        assert "rename it there" in one_sentence(error)
    else:
        assert paths == ["_/a.png"]


@pytest.mark.parametrize("path", ["../a.png", "/etc/a.png", "cat/..\\a.png", ""])
def test_no_name_of_a_folder_leads_out_whatever_gdown_lets_through(monkeypatch, path):
    import gdown

    listed = [types.SimpleNamespace(id=ID, path=path)]
    monkeypatch.setattr(gdown, "download_folder", lambda **_: listed)
    with pytest.raises(InputError, match="rename it there"):
        list_folder(f"https://drive.google.com/drive/folders/{ID}")


def test_a_folder_of_many_files(web, each_gdown):
    files = [(web.drive(b"1")[0], f"{i:02d}.png") for i in range(50)]
    link = web.folder("Many", files)
    if hasattr(each_gdown.exceptions, "FolderContentsMaximumLimitError"):
        with pytest.raises(InputError, match="50 files or more"):
            list_folder(link)
    else:
        assert len(list_folder(link)) == 50


def test_the_students_own_drive(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="on Colab only"):
        mounted()
    monkeypatch.setattr(drive, "MOUNT", tmp_path)
    colab, calls = types.ModuleType("google.colab"), []
    colab.drive = types.SimpleNamespace(mount=calls.append)
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    with pytest.raises(InputError, match="has no MyDrive"):
        mounted()
    (tmp_path / "MyDrive").mkdir()
    assert mounted() == tmp_path / "MyDrive" and calls == [str(tmp_path)] * 2

    def declined(place):
        raise ValueError("mount failed")

    colab.drive.mount = declined
    with pytest.raises(InputError, match="was not mounted"):
        mounted()


# Archives

PICTURES = {"cat/a.png": b"picture" * 3000, "cat/b.png": DATA[:50_000], "dog/ü.png": b"", "dog/c.png": DATA[:9]}
JUNK = {"__MACOSX/cat/._a.png": b"x", "cat/.DS_Store": b"x", "cat/._b.png": b"x", "Thumbs.db": b"x", "cat/Icon\r": b"x"}


def test_an_archive_here_and_on_the_web(web, tmp_path):
    data = zipped({"cat/": b"", **PICTURES, **JUNK})
    (tmp_path / "a.zip").write_bytes(data)
    item = web.put("/a.zip", data)
    for source in (tmp_path / "a.zip", str(tmp_path / "a.zip"), web.url + "/a.zip"):
        with open_archive(source) as archive:
            assert {member.name: archive.read(member) for member in archive.members} == PICTURES
            assert [member.size for member in archive.members] == [len(data) for data in PICTURES.values()]
            assert dict((m.name, data) for m, data in archive.read_many(reversed(archive.members))) == PICTURES
            remote = str(source).startswith("http")
            assert (archive.fetched == item.served > 0) if remote else archive.fetched == 0
            assert bool(archive.cost(archive.members)) == remote
            with pytest.raises(InputError, match="is not in"):
                archive.read(Member("none.png", 1, 1))
    fetch(web.url + "/a.zip", quiet=True)
    count = item.requests
    with open_archive(web.url + "/a.zip", offline=True) as archive:
        assert archive.fetched == 0 and len(archive.members) == 4 and item.requests == count


def test_cost_is_what_reading_takes(web):
    files = {f"{folder}/{i}.png": DATA[i * 1000 : i * 1000 + 30_000] for folder in "abcd" for i in range(40)}
    web.put("/a.zip", zipped(files))
    with open_archive(web.url + "/a.zip") as archive:
        for step in (1, 2, 7):
            some, before = archive.members[::step], archive.fetched
            cost = archive.cost(some)
            assert dict((m.name, data) for m, data in archive.read_many(some)) == {m.name: files[m.name] for m in some}
            assert archive.fetched - before == cost < 1.1 * sum(m.packed for m in some) + 16_384 * len(some)


def test_members_of_a_redirected_and_cut_archive(web):
    """As Hugging Face does: each address that a redirect gave dies after a while."""
    files = {f"{i}.png": DATA[i : i + 100_000] for i in range(6)}
    item = web.put("/signed-1", zipped(files))
    web.redirect("/a.zip", "/signed-1")
    with open_archive(web.url + "/a.zip") as archive:
        assert archive.read(archive.members[0]) == files["0.png"]
        web.items["/signed-2"] = web.items.pop("/signed-1")
        web.redirect("/a.zip", "/signed-2")
        item.cuts, item.statuses = [50_000, 0], [503]
        item.retry_after = "0"
        assert archive.read(archive.members[5]) == files["5.png"]


def test_an_archive_of_drive(web, each_gdown):
    link, item = web.drive(zipped(PICTURES), page="confirm")
    with open_archive(link) as archive:
        assert archive.read(archive.members[1]) == PICTURES["cat/b.png"]
    item.page = "quota"
    with pytest.raises(InputError, match="quota.*try again tomorrow") as caught:
        open_archive(link)
    one_sentence(caught.value)


def test_a_server_without_ranges_says_so(web):
    web.put("/a.zip", zipped(PICTURES), ranges=False)
    with pytest.raises(NoRanges, match="fetch it as a whole"):
        open_archive(web.url + "/a.zip")


@pytest.mark.parametrize("more, etag", [(b"", '"second"'), (b"x", None), (b"x", '"second"')])
def test_an_archive_that_changes_while_it_is_read(web, more, etag):
    item = web.put("/a.zip", zipped(PICTURES), etag=etag and '"first"')
    with open_archive(web.url + "/a.zip") as archive:
        item.data, item.etag = item.data + more, etag
        with pytest.raises(InputError, match="changed the file while it was read"):
            archive.read(archive.members[1])


def test_a_server_that_gives_less_than_it_is_asked_for(web):
    files = {"a.png": DATA[:50_000], "b.png": DATA[:90_000]}
    item = web.put("/a.zip", zipped(files))
    with open_archive(web.url + "/a.zip") as archive:
        item.most = 9_000
        assert archive.read(archive.members[0]) == files["a.png"]
        item.announce = 0
        with pytest.raises(InputError, match="sent 0 of 50"):
            archive.read(archive.members[0])


def opened(tmp_path, data: bytes) -> str:
    """The refusal of an archive."""
    path = tmp_path / "bad.zip"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught, open_archive(path) as archive:
        for member in archive.members:
            archive.read(member)
    return one_sentence(caught.value).replace(str(path), "bad.zip")


def with_info(name: str = "a.png", data: bytes = b"picture", **facts) -> bytes:
    info = zipfile.ZipInfo(name)
    for fact, value in facts.items():
        setattr(info, fact, value)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("good.png", b"good")
        archive.writestr(info, data, compress_type=zipfile.ZIP_DEFLATED)
    return file.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        "../a.png",
        "cat/../../a.png",
        "/etc/a.png",
        "C:/a.png",
        "c:a.png",
        "..\\a.png",
        "cat\\..\\a",
        "\\a",
        "..",
        "a/..",
    ],
)
def test_names_that_lead_out(tmp_path, name):
    assert "would leave the folder" in opened(tmp_path, with_info(name))


def test_a_zero_byte_in_a_name(tmp_path):
    assert "would leave the folder" in opened(tmp_path, with_info("a.pnXg").replace(b"a.pnXg", b"a.pn\0g"))


@pytest.mark.parametrize(
    "names",
    [
        ("a.png", "a.png"),
        ("a.png", "A.PNG"),
        ("x/a", "X/a"),
        ("é", "e\u0301"),
        ("./a", "a"),
        ("x//a", "x/a"),
        ("ß", "SS"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_for_one_place(tmp_path, names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"picture")
    assert "twice" in opened(tmp_path, file.getvalue())


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b/c", "A"), ("x/y/z", "x/y/w", "x/Y")])
def test_a_file_that_is_a_folder_too(tmp_path, names):
    assert "both as a file and as a folder" in opened(tmp_path, zipped({name: b"x" for name in names}))


def test_links_encryption_and_rare_packings(tmp_path):
    assert "a link or device (a.png)" in opened(tmp_path, with_info(data=b"/etc/passwd", external_attr=0o120777 << 16))
    assert "a link or device" in opened(tmp_path, with_info(external_attr=0o010644 << 16))
    data = bytearray(with_info())
    data[data.rindex(b"PK\1\2") + 8] |= 1
    assert "is encrypted (a.png)" in opened(tmp_path, bytes(data))
    assert "in a rare way" in opened(tmp_path, zipped({"a": DATA}, zipfile.ZIP_LZMA))


def test_bombs(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "BOMB_MEMBER", 1_000_000)
    monkeypatch.setattr(archives, "BOMB_TOTAL", 3_000_000)
    assert "zip bomb" in opened(tmp_path, zipped({"a.png": bytes(1_100_000)}))
    assert "zip bomb" in opened(tmp_path, zipped({f"{i}.png": bytes(900_000) for i in range(4)}))
    path = tmp_path / "good.zip"  # blank pages pack as well, and stored ones are as large as they are
    path.write_bytes(zipped({f"{i}.bmp": bytes(900_000) for i in range(3)}))
    open_archive(path).close()
    path.write_bytes(zipped({"a.bmp": bytes(4_000_000)}, zipfile.ZIP_STORED))
    open_archive(path).close()
    monkeypatch.setattr(archives, "LARGEST_MEMBER", 3_000_000)
    assert "more than the 3.0 MB" in opened(tmp_path, path.read_bytes())


def test_members_over_each_other(tmp_path):
    """Many entries for the same bytes: how a small archive unpacks to anything."""
    data = bytearray(zipped({"a.png": DATA[:5000], "b.png": DATA[:5000]}))
    entry = data.rindex(b"PK\1\2")
    data[entry + 42 : entry + 46] = bytes(4)
    assert "over each other" in opened(tmp_path, bytes(data))


@pytest.mark.parametrize("keep", [0, 10, 5000, -1, -30])
def test_a_truncated_archive(tmp_path, keep):
    assert "is not a whole zip archive" in opened(tmp_path, zipped(PICTURES)[:keep])


def test_no_archive(tmp_path):
    assert "is not a whole zip archive" in opened(tmp_path, DATA)
    for path, words in ((tmp_path, "is a folder"), (tmp_path / "none.zip", "does not exist")):
        with pytest.raises(InputError, match=words):
            open_archive(path)


def test_damaged_members(tmp_path, web):
    data = bytearray(zipped({"a.png": DATA[:5000]}, zipfile.ZIP_STORED))
    data[100] ^= 1
    assert "a.png in bad.zip is damaged" in opened(tmp_path, bytes(data))
    web.put("/a.zip", bytes(data))
    with open_archive(web.url + "/a.zip") as archive, pytest.raises(InputError, match="is damaged"):
        archive.read(archive.members[0])


def test_more_bytes_than_declared_are_not_given(tmp_path):
    """A member that unpacks to more than it says: not a byte more is unpacked, and the check sum tells."""
    data = bytearray(zipped({"a.png": bytes(50_000_000)}))
    entry = data.rindex(b"PK\1\2")
    for at in (22, entry + 24):
        data[at : at + 4] = (1000).to_bytes(4, "little")
    assert "is damaged" in opened(tmp_path, bytes(data))


def test_a_table_that_says_it_is_huge(web, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST_TABLE", 100_000)
    monkeypatch.setattr(archives, "LARGEST_MEMBER", 100_000)
    item = web.put("/a.zip", zipped({f"{i:0200d}.png": b"" for i in range(500)}))
    with pytest.raises(InputError, match="no archive of pictures does"):
        open_archive(web.url + "/a.zip")
    assert item.served < 100_000


LETTERS = st.text(st.characters(codec="utf-8", exclude_characters="/\\"), min_size=1, max_size=8)
PARTS = st.one_of(LETTERS, st.sampled_from(["..", ".", "", "C:", "\0", "CON", " ", "~", "..."]))
SEPARATORS = st.sampled_from(["/", "/", "\\"])
SLOW = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))


@SLOW
@given(st.lists(st.tuples(PARTS, SEPARATORS), min_size=1, max_size=4), PARTS)
def test_no_name_leaves_the_folder(tmp_path, folders, last):
    """What is not refused lies inside the folder it is unpacked to, on Windows as well as here."""
    import ntpath
    import posixpath

    name = "".join(part + separator for part, separator in folders) + last
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        info = zipfile.ZipInfo("x")
        info.filename = name
        archive.writestr(info, b"picture")
    path = tmp_path / "names.zip"
    path.write_bytes(file.getvalue())
    try:
        with open_archive(path) as archive:
            names = [member.name for member in archive.members]
            assert all(archive.read(member) == b"picture" for member in archive.members)
    except InputError as error:
        assert "\n" not in str(error)
        bad = (
            name.startswith(("/", "\\"))
            or "\0" in name
            or name[1:2] == ":"
            or ".." in name.replace("\\", "/").split("/")
        )
        assert bad or not name.strip(), (name, error)
        return
    for found in names:
        for module, root in ((posixpath, "/unpack/here"), (ntpath, "D:\\unpack\\here")):
            inside = module.normpath(module.join(root, found))
            assert inside.startswith(root), (name, inside)


@SLOW
@given(st.data())
def test_any_damage_is_told_in_one_sentence(tmp_path, data):
    """Bytes changed or cut anywhere: an archive gives its pictures as they were, or one sentence; nothing else."""
    whole = zipped(PICTURES)
    broken = bytearray(whole[: data.draw(st.integers(len(whole) - 600, len(whole)))])
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.one_of(st.integers(len(broken) - 400, len(broken) - 1), st.integers(0, len(broken) - 1)))
        broken[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "broken.zip"
    path.write_bytes(broken)
    try:
        with open_archive(path) as archive:
            for member in archive.members:
                assert archive.read(member) in PICTURES.values()
    except InputError as error:
        assert "\n" not in str(error)


SAMPLE = """
import sys
sys.path.insert(0, {root!r})
from s2i_teach.data_sources.archives import open_archive
with open_archive({url!r}) as archive:
    chosen = archive.members[17 :: len(archive.members) // 300][:300]
    cost = archive.cost(chosen) + archive.fetched
    total = sum(len(data) for _, data in archive.read_many(chosen))
    print(len(archive.members), len(chosen), total, cost, archive.fetched)
assert "torch" not in sys.modules
"""


def test_a_sample_of_a_large_archive_costs_little(web):
    """1,000 categories × 50 pictures, 7.5 GB: 300 pictures take ≤ 2 % of the bytes and ≤ 200 MB of memory."""
    whole = SketchZip(1000, 50, 150_000)
    item = web.put("/ImageNet-Sketch.zip", whole)
    code = SAMPLE.format(root=str(ROOT), url=web.url + "/ImageNet-Sketch.zip") + PEAK
    began = time.monotonic()
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    (members, chosen, total, cost, fetched), (memory,) = (map(int, line.split()) for line in result.stdout.splitlines())
    assert (members, chosen, total) == (50_000, 300, 300 * 150_000)
    assert cost == fetched == item.served <= 0.02 * len(whole)
    assert memory * 1024 <= 200_000_000
    print(
        f"\n{item.served:,} of {len(whole):,} bytes ({item.served / len(whole):.2%}) in {item.requests} requests, "
        f"{memory * 1024 / 1e6:.0f} MB, {time.monotonic() - began:.1f} s"
    )


def test_the_synthetic_archive_is_a_zip(tmp_path):
    whole = SketchZip(["n01440764", "n01443537"], 3, 2_000)
    path = tmp_path / "a.zip"
    path.write_bytes(whole.read(0, 1000) + whole.read(1000, 9_000) + whole.read(9_000, len(whole)))
    assert path.stat().st_size == len(whole)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None and archive.namelist() == whole.names
        assert archive.read(whole.names[4]) == whole.picture(whole.names[4])


def test_members_far_apart_come_several_at_once_and_in_order(web):
    """Each answer takes 30 ms: 40 one after the other would take 1.2 s."""
    archive = SketchZip(ids=40, per_category=50, bytes_each=20_000)
    under_way, most, lock = [0], [0], threading.Lock()

    class Slow:
        def __len__(self):
            return len(archive)

        def read(self, start, stop):
            with lock:
                under_way[0] += 1
                most[0] = max(most[0], under_way[0])
            time.sleep(0.03)
            with lock:
                under_way[0] -= 1
            return archive.read(start, stop)

    item = web.put("/a.zip", Slow())
    with archives.open_archive(f"{web.url}/a.zip") as opened:
        wanted = opened.members[::50]
        most[0], item.requests, started = 0, 0, time.perf_counter()
        names = []
        for member, data in opened.read_many(reversed(wanted)):
            names.append(member.name)
            assert data == archive.picture(member.name)
        assert time.perf_counter() - started < 0.8
        assert names == [member.name for member in wanted] and item.requests == 40
        assert 4 <= most[0] <= archives.AT_ONCE
        assert opened.fetched == item.served
        # Who takes no more asks for no more than was on its way, and the archive can still be read.
        item.requests = 0
        some = opened.read_many(wanted)
        next(some)
        some.close()
        assert item.requests <= archives.AT_ONCE + 1
        assert opened.read(wanted[-1]) == archive.picture(wanted[-1].name)

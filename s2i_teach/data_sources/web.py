"""One web address asked for its bytes, whole or in part; every refusal told in words."""

import contextlib
import email.utils
import re
import time
from collections.abc import Callable, Iterator
from typing import TypeVar
from urllib.parse import urlsplit

import requests

from s2i_teach.data_sources.drive import drive_id, file_url
from s2i_teach.errors import InputError
from s2i_teach.files import shown

TIMEOUT = (10.0, 60.0)
"""Seconds: to connect, and between two arrivals of bytes."""
TRIES = 5
"""Times that something is asked for without a single byte of progress."""
PAUSE = 1.0
"""Seconds before the first new try; each further one waits twice as long."""
LONGEST_PAUSE = 30.0
CHUNK = 1 << 16
"""Bytes taken at a time; a cut loses fewer than these."""

ADVICE = {
    "cut": "run it again, what has come is kept",
    "busy": "try again in some minutes",
    "network": "check your network connection",
    "quota": "try again tomorrow, or copy the file to your own Drive, share the copy and give its link",
    "private": "ask its owner to share it with anyone who has the link",
    "page": "open the address in a browser and give the link of the download itself",
    "contents": "ask who gave you the address for the file's new address or hash",
    "gone": "check the address",
}
"""Kind of refusal → what to do, the more hopeful first: of several refusals the first kind's advice is given."""

T = TypeVar("T")


class Refused(Exception):
    """A server did not give what it was asked for.

    Args:
        kind: a key of ``ADVICE``.
        reason: what the server did, to be read after its name ("does not have it (404)").
        passing: whether to ask again makes sense.
        pause: seconds that the server asks to wait.
    """

    def __init__(self, kind: str, reason: str, *, passing: bool = False, pause: float | None = None):
        super().__init__(reason)
        self.kind, self.reason, self.passing, self.pause = kind, reason, passing, pause


class Address:
    """One http(s) address; of a Drive link, the file behind it. Not for several threads at once.

    Raises:
        InputError: no http(s) address, or a Drive folder or document.
    """

    def __init__(self, url: str):
        url = url.strip()
        if not re.match(r"https?://[^/\s]", url, re.I):
            raise InputError(f"{shown(url)} is no web address: give one that begins with https://.")
        try:
            parts = urlsplit(url)
            private = parts.username is not None or parts.password is not None
        except ValueError as error:
            raise InputError(f"{shown(url)} is no web address: copy it again.") from error
        if private:  # it would stand in messages and in a manifest that goes to a whole class
            raise InputError(
                f"The address at {shown(parts.hostname)} has a name or a password in it: give one that works without."
            )
        found = drive_id(url)
        if found and found[1] == "folder":
            raise InputError(f"{shown(url)} is a Drive folder: give the link of one file in it.")
        self.url = file_url(found[0]) if found else url
        self.is_drive = found is not None
        self.host = urlsplit(self.url).hostname or self.url
        self._at = self.url  # where redirects and Drive's pages ended: asked directly from then on
        self._session = requests.Session()
        # Byte positions must be those of the file, and Drive answers a browser's name best.
        self._session.headers.update({"Accept-Encoding": "identity", "User-Agent": "Mozilla/5.0 (s2i_teach)"})

    def close(self) -> None:
        self._session.close()

    def again(self) -> "Address":
        """The same for another thread, asked where this one's redirects ended."""
        other = Address(self.url)
        other.is_drive, other._at = self.is_drive, self._at
        return other

    def ask(self, start: int = 0, stop: int | None = None, validator: str | None = None) -> requests.Response:
        """The answer for the bytes from ``start`` up to, not including, ``stop``: status 200, 206 or 416, no page.

        With a ``validator`` (ETag or date) a file that has changed since is answered whole (200).

        Raises:
            Refused: any other answer, or none.
        """
        headers = {}
        if start or stop is not None:
            headers["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
            if validator:
                headers["If-Range"] = validator
        answer = self._get(headers)
        if answer.status_code in (401, 403, 404, 410) and self._at != self.url:
            answer.close()
            self._at = self.url  # a signed address that a redirect gave lives for some minutes only
            answer = self._get(headers)
        if answer.status_code in (200, 206) and self.is_drive and _is_page(answer):
            self._at = _behind_page(answer)
            answer.close()
            answer = self._get(headers)
        self._check(answer)
        self._at = answer.url
        return answer

    def _get(self, headers: dict[str, str]) -> requests.Response:
        try:
            return self._session.get(self._at, headers=headers, stream=True, timeout=TIMEOUT)
        except requests.exceptions.SSLError as error:
            raise Refused("network", "cannot prove who it is (certificate)") from error
        except requests.exceptions.ConnectTimeout as error:
            raise Refused("network", "cannot be reached", passing=True) from error
        except requests.exceptions.Timeout as error:
            raise Refused("cut", f"does not answer within {TIMEOUT[1]:.0f} s", passing=True) from error
        except requests.exceptions.ConnectionError as error:
            raise Refused("network", "cannot be reached", passing=True) from error
        except requests.exceptions.TooManyRedirects as error:
            raise Refused("gone", "sends from one address to the next without end") from error
        except (requests.exceptions.RequestException, UnicodeError) as error:
            raise Refused("gone", "is no address that can be asked") from error

    def _check(self, answer: requests.Response) -> None:
        status = answer.status_code
        if status == 416 or (status in (200, 206) and not (_is_page(answer) and not _wants_page(self.url))):
            return
        try:
            if _is_page(answer):
                _say_page(answer)
            if status in (401, 403):
                raise Refused("private", f"does not give it to everybody ({status})")
            if status in (408, 429) or status >= 500:
                pause = _retry_after(answer.headers.get("Retry-After"))
                raise Refused("busy", f"is too busy ({status})", passing=True, pause=pause)
            if status in (200, 206):
                raise Refused("page", "answers with a web page instead of the file")
            raise Refused("gone", f"does not have it ({status})")
        finally:
            answer.close()


def insist(attempt: Callable[[], T], progress: Callable[[], int] = lambda: 0) -> T:
    """``attempt()``, again after a pause where the refusal may pass; patience is renewed by ``progress()`` growing.

    Raises:
        Refused: for good, or as often as ``TRIES``; at once where there is no network from the start.
    """
    tries, reached = 0, progress()
    while True:
        try:
            return attempt()
        except Refused as refusal:
            tries = tries + 1 if progress() == reached else 1
            reached = progress()
            hopeless = refusal.kind == "network" and reached == 0
            if not refusal.passing or hopeless or tries >= TRIES:
                raise
            wait = PAUSE * 2 ** (tries - 1) if refusal.pause is None else refusal.pause
            time.sleep(min(wait, LONGEST_PAUSE))


def chunks(answer: requests.Response) -> Iterator[bytes]:
    """The bytes of an answer as they come.

    Raises:
        Refused: the transfer broke off, or stalled.
    """
    try:
        yield from answer.iter_content(CHUNK)
    except requests.exceptions.RequestException as error:
        stalled = "timed out" in str(error).lower()
        reason = f"sent nothing for {TIMEOUT[1]:.0f} s" if stalled else "broke off the transfer"
        raise Refused("cut", reason, passing=True) from error


def part_of(answer: requests.Response) -> tuple[int, int | None] | None:
    """Where the bytes of a 206 begin, and how many the whole file has (None: not said); None when it is no part."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", "").strip())
    if answer.status_code != 206 or not found or answer.headers.get("Content-Encoding", "identity") != "identity":
        return None
    return int(found[1]), None if found[2] == "*" else int(found[2])


def whole_size(answer: requests.Response) -> int | None:
    """The bytes of the whole file, as far as an answer tells them."""
    part = part_of(answer)
    if part is not None:
        return part[1]
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def size_of(url: str) -> int | None:
    """The bytes of a file of the web, or None if its server does not tell. Nothing of it is fetched.

    Raises:
        InputError: the server refuses.
    """
    address = Address(url)
    try:
        with contextlib.closing(insist(lambda: address.ask(0, 1))) as answer:
            return whole_size(answer)
    except Refused as refusal:
        raise InputError(in_words(shown(url), [(address.host, refusal)])) from refusal
    finally:
        address.close()


def validator_of(answer: requests.Response) -> str | None:
    """What tells this state of the file from another: a strong ETag, else the date of its last change."""
    etag = answer.headers.get("ETag", "")
    return etag if etag.startswith('"') else answer.headers.get("Last-Modified")


def in_words(what: str, refusals: list[tuple[str, Refused]]) -> str:
    """One sentence of (server, refusal) pairs."""
    reasons = "; ".join(f"{server} {refusal.reason}" for server, refusal in refusals)
    kinds = {refusal.kind for _, refusal in refusals}
    return f"{shown(what)} cannot be fetched ({reasons}): {next(ADVICE[kind] for kind in ADVICE if kind in kinds)}."


def readable(size: float) -> str:
    """A number of bytes as one reads it: 7.8 GB."""
    if size < 1000:
        return f"{size:.0f} bytes"
    power = next((power for power in (1, 2, 3) if size < 999.5 * 1000**power), 4)
    size /= 1000**power
    return f"{size:.{0 if size >= 99.95 else 1}f} {' kMGT'[power]}B"


def _is_page(answer: requests.Response) -> bool:
    kind = answer.headers.get("Content-Type", "").split(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml") and "Content-Disposition" not in answer.headers


def _wants_page(url: str) -> bool:
    return urlsplit(url).path.lower().endswith((".html", ".htm"))


def _page_text(answer: requests.Response) -> str:
    """A page's first megabyte: enough for any of Google's."""
    text = b""
    for piece in chunks(answer):
        text += piece
        if len(text) > 1_000_000:
            break
    return text.decode("utf-8", "replace")


def _say_page(answer: requests.Response, text: str | None = None) -> None:
    """Raise what a page of Google's says, where it is a known one."""
    if not (urlsplit(answer.url).hostname or "").endswith(".google.com"):
        return
    text = (_page_text(answer) if text is None else text).lower()
    if "quota exceeded" in text or "too many users have viewed or downloaded" in text:
        raise Refused("quota", "has given it to too many people today (quota)")
    signing_in = urlsplit(answer.url).hostname == "accounts.google.com"
    if signing_in or "you need access" in text or "request access" in text:
        raise Refused("private", "does not show it to everybody")


def _behind_page(answer: requests.Response) -> str:
    """The address behind Drive's question whether to download a file too large for its virus scan."""
    from gdown.download import get_url_from_gdrive_confirmation
    from gdown.exceptions import FileURLRetrievalError

    text = _page_text(answer)
    _say_page(answer, text)
    try:
        return get_url_from_gdrive_confirmation(text)
    except FileURLRetrievalError as error:
        raise Refused("page", "answers with a web page instead of the file") from error


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait: the header holds seconds or a date."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None

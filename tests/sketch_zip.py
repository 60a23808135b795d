"""A zip in ImageNet-Sketch's layout, gigabytes large, that exists only as far as it is read."""

import bisect
import io
import struct
import zlib

from PIL import Image, ImageDraw


class SketchZip:
    """``sketch/n01440764/sketch_0.JPEG`` and so on: categories × pictures, each padded to ``bytes_each``, stored.

    Has a length and ``read(start, stop)``, as the test server's files do. Above 4 GB it is a zip64, as the real one is.

    Args:
        ids: the categories' ids, or how many of them.
        per_category: pictures of each.
        bytes_each: size of each picture in bytes; what its JPEG does not fill is zeros.
        pictures: JPEG files to take in turn; None draws eight.
    """

    def __init__(
        self, ids=1000, per_category: int = 50, bytes_each: int = 150_000, pictures: list[bytes] | None = None
    ):
        ids = [f"n{1_440_764 + 1_013 * i:08d}" for i in range(ids)] if isinstance(ids, int) else list(ids)
        self.names = [f"sketch/{id}/sketch_{i}.JPEG" for id in ids for i in range(per_category)]
        self.bytes_each = bytes_each
        self._pictures = [_drawn(i) for i in range(8)] if pictures is None else pictures
        padding = [bytes(bytes_each - len(picture)) for picture in self._pictures]
        self._checks = [zlib.crc32(zeros, zlib.crc32(p)) for p, zeros in zip(self._pictures, padding, strict=True)]
        self._offsets, table, at = [], bytearray(), 0
        for i, name in enumerate(self.names):
            self._offsets.append(at)
            table += self._entry(i, name, at)
            at += 30 + len(name) + bytes_each
        self._table, self._table_at = bytes(table) + self._end(at, len(table)), at

    def __len__(self) -> int:
        return self._table_at + len(self._table)

    def read(self, start: int, stop: int) -> bytes:
        """The bytes from ``start`` up to ``stop``."""
        pieces, at = [], start
        while at < min(stop, self._table_at):
            i = bisect.bisect_right(self._offsets, at) - 1
            here = (self._local(i) + self._pictures[i % len(self._pictures)]).ljust(
                30 + len(self.names[i]) + self.bytes_each, b"\0"
            )
            pieces.append(here[at - self._offsets[i] : stop - self._offsets[i]])
            at += len(pieces[-1])
        if stop > self._table_at:
            pieces.append(self._table[max(0, at - self._table_at) : stop - self._table_at])
        return b"".join(pieces)

    def picture(self, name: str) -> bytes:
        """What the archive holds under a name."""
        return self._pictures[self.names.index(name) % len(self._pictures)].ljust(self.bytes_each, b"\0")

    def place(self, name: str) -> int:
        """Where a member begins, in bytes."""
        return self._offsets[self.names.index(name)]

    def _facts(self, i: int) -> tuple:
        # version, flags, stored, time, date (1980-01-01), check sum, packed, unpacked, length of the name
        check = self._checks[i % len(self._checks)]
        return 45, 0, 0, 0, 33, check, self.bytes_each, self.bytes_each, len(self.names[i])

    def _local(self, i: int) -> bytes:
        return struct.pack("<4s5H3I2H", b"PK\3\4", *self._facts(i), 0) + self.names[i].encode()

    def _entry(self, i: int, name: str, at: int) -> bytes:
        large = at >= 0xFFFFFFFF
        extra = struct.pack("<2HQ", 1, 8, at) if large else b""
        rest = (len(extra), 0, 0, 0, 0o100644 << 16, 0xFFFFFFFF if large else at)
        return struct.pack("<4s6H3I5H2I", b"PK\1\2", 3 << 8 | 45, *self._facts(i), *rest) + name.encode() + extra

    def _end(self, at: int, size: int) -> bytes:
        count = len(self.names)
        end64 = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, at)
        locator = struct.pack("<4sIQI", b"PK\6\7", 0, at + size, 1)
        small = min(count, 0xFFFF)
        return end64 + locator + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, small, small, size, min(at, 0xFFFFFFFF), 0)


def _drawn(seed: int) -> bytes:
    page = Image.new("L", (96, 96), 255)
    ImageDraw.Draw(page).ellipse([8 + 3 * seed, 20, 70, 40 + 6 * seed], outline=0, width=2)
    file = io.BytesIO()
    page.save(file, "JPEG")
    return file.getvalue()

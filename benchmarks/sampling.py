"""What a sample of a large archive costs: ``python -m benchmarks.sampling``, about half a minute, no network.

An archive of 1,000 categories × 50 pictures in ImageNet-Sketch's layout, 7.5 GB, stands behind a server on this
machine; 300 pictures of 100 categories are sampled from it by a process of its own. Beside it: the whole archive, which
is what a download fetches.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from s2i_teach.data_sources.classes import classes
from s2i_teach.data_sources.web import readable
from tests.peak import PEAK
from tests.sketch_zip import SketchZip
from tests.web import serving

ROOT = Path(__file__).resolve().parent.parent
CODE = """
import time
import s2i_teach as s2i
start = time.perf_counter(), time.process_time()
made = s2i.sample({url!r}, categories=100, per_category=3, to={to!r}, quiet=True)
print(len(made), made.fetched, time.perf_counter() - start[0], time.process_time() - start[1])
"""


def main() -> None:
    archive = SketchZip([one.class_id for one in classes()], per_category=50, bytes_each=150_000)
    with serving() as web, tempfile.TemporaryDirectory() as folder:
        item = web.put("/sketch.zip", archive)
        code = CODE.format(url=f"{web.url}/sketch.zip", to=str(Path(folder) / "sample")) + PEAK
        run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    files, fetched, wall, cpu, kilobytes = map(float, run.stdout.split())
    print(f"archive: {len(archive.names)} pictures, {readable(len(archive))}")
    print(f"sample: {files:.0f} pictures, {readable(fetched)} fetched, {readable(item.served)} served,")
    print(f"        {item.served / len(archive):.2%} of the archive (bar: 2 %) in {item.requests} requests")
    print(f"        {wall:.1f} s, {cpu:.1f} CPU s, {kilobytes / 1000:.0f} MB of memory at most (bar: 200 MB)")


if __name__ == "__main__":
    main()

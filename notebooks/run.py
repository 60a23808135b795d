"""Runs the lessons: ``python -m notebooks.run [--teacher] [--at-once 1] [--write] [NAMES …]``.

Each notebook in a process of its own, its network closed (``notebooks/offline.py``). Prints the wall time and the peak memory of its kernel; ``--write`` puts
them into the README's table of lessons.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty

import nbformat
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.manager import AsyncKernelManager
from traitlets import Type

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"
KERNEL = "S2I_KERNEL"
"""Names another environment's Python, to run cells with its versions; what drives it stays here."""


class PatientChannel(AsyncZMQSocketChannel):
    """Looks for a reply at least twice a second.

    While nbclient waits for a cell's reply, it sends the messages of an ``ipywidgets.Output`` through the same socket, and
    that sending can swallow the socket's only signal that the reply is there: it would wait for ever (nbclient issue 312).
    """

    async def get_msg(self, timeout: float | None = None) -> dict:
        """The next message; raises ``queue.Empty`` after ``timeout`` seconds (None: never)."""
        until = float("inf") if timeout is None else time.monotonic() + timeout
        while True:
            left = until - time.monotonic()
            try:
                return await super().get_msg(max(0.0, min(0.5, left)))
            except Empty:
                if left <= 0.5:
                    raise


class PatientClient(AsyncKernelClient):
    """A kernel's client with a patient shell channel."""

    shell_channel_class = Type(PatientChannel)


class PatientManager(AsyncKernelManager):
    """Gives out patient clients."""

    client_factory = Type(PatientClient)


def run_one(path: Path, out: Path, timeout: int = 600) -> dict:
    """Execute one notebook in a new empty folder and write it with its outputs to ``out``; returns what it took."""
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as sockets:
        # Executed in a namespace of its own, so that the lesson's is as a learner has it.
        close_network = f"exec(open({str(HERE / 'offline.py')!r}).read(), {{'__name__': 'offline'}})"
        client = NotebookClient(
            notebook,
            timeout=timeout,
            resources={"metadata": {"path": folder}},
            extra_arguments=[f"--IPKernelApp.exec_lines={close_network}"],
        )
        client.kernel_manager_class = PatientManager
        manager = client.create_kernel_manager()
        if KERNEL in os.environ:
            manager.kernel_spec.argv[0] = os.environ[KERNEL]
        if os.name == "posix":  # no ports, which two kernels that start together could both take
            manager.transport, manager.ip = "ipc", f"{sockets}/kernel"
        client.execute()
    seconds = time.perf_counter() - started
    nbformat.write(notebook, out)
    # Linux counts in KiB, macOS in bytes; the kernel is the largest child.
    unit = 1 if sys.platform == "darwin" else 1024
    return {"seconds": seconds, "peak_bytes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit}


def run_all(paths: list[Path], to: Path, at_once: int = 2, threads: int = 1) -> dict[Path, dict]:
    """Execute notebooks, ``at_once`` of them side by side with ``threads`` CPU threads each; outputs go to ``to``.

    Raises:
        RuntimeError: one failed; with the end of what it said.
    """

    def start(path: Path) -> tuple[Path, dict]:
        command = [sys.executable, "-m", "notebooks.run", "--one", str(path), str(to / path.name)]
        surroundings = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent, env=surroundings)
        if done.returncode:
            raise RuntimeError(f"{path.name} failed:\n{done.stderr[-3000:]}")
        return path, json.loads(done.stdout.splitlines()[-1])

    # The training lesson first, so that it is not what everybody waits for in the end.
    paths = sorted(paths, key=lambda path: "unet" not in path.name)
    with ThreadPoolExecutor(at_once) as pool:
        return dict(pool.map(start, paths))


def in_words(took: dict) -> str:
    """``"12 s, 0.6 GB"``."""
    return f"{took['seconds']:.0f} s, {took['peak_bytes'] / 1e9:.1f} GB"


def write_into_readme(took: dict[Path, dict]) -> None:
    """Replace the last cell of each lesson's row of the README's table."""
    text = README.read_text(encoding="utf-8")
    for path, figures in took.items():
        pattern = re.compile(rf"^(\|.*\(notebooks/{re.escape(path.name)}\).*\|)[^|\n]*\|$", re.M)
        text, count = pattern.subn(rf"\g<1> {in_words(figures)} |", text)
        if count != 1:
            raise SystemExit(f"README.md has {count} rows that link notebooks/{path.name}: there should be one.")
    README.write_text(text, encoding="utf-8")


def main() -> int:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="parts of file names; all lessons without")
    parser.add_argument("--teacher", action="store_true", help="the teacher's notebooks")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="write the figures into README.md")
    parser.add_argument("--one", nargs=2, metavar=("NOTEBOOK", "OUT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(run_one(*map(Path, args.one))))
        return 0
    folder = HERE / "teacher" if args.teacher else HERE
    paths = [p for p in sorted(folder.glob("*.ipynb")) if not args.names or any(name in p.name for name in args.names)]
    with tempfile.TemporaryDirectory() as to:
        took = run_all(paths, Path(to), args.at_once, args.threads)
    for path in paths:
        print(f"{path.stem}: {in_words(took[path])}")
    print(f"together {sum(figures['seconds'] for figures in took.values()):.0f} s")
    if args.write:
        write_into_readme(took)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Notebook programs in a real browser: JupyterLab as it is today, and one with the versions that Colab pins."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
COLAB = ROOT / ".venv" / "colab" / "bin" / "python"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --force-color-profile=srgb"
).split()


def lane_of(nodeid: str) -> str | None:
    """The lane that a test's name says, "lab" or "colab", or None: the worker that drives it takes all its tests."""
    found = re.match(r"tests/browser/[^\[]*\[(?:.*-)?(lab|colab)(?:-.*)?\]", nodeid)
    return found[1] if found else None


def find_browser() -> str | None:
    """The Chromium that tests drive, or None."""
    names = (os.environ.get("S2I_BROWSER"), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Lane:
    """One notebook program with its server, shared by all tests of a run."""

    name = ""
    command: list[str] = []

    def __init__(self, folder: Path):
        self.folder = folder
        self.port = free_port()
        self.server = None
        self.number = 0

    def start(self) -> None:
        home = self.folder / "home"
        home.mkdir()
        settings = home / "lab-settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        quiet = {"fetchNews": "false", "checkForUpdates": False}
        (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
        environment = {
            **os.environ,
            "HOME": str(home),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "lab-settings"),
            "OMP_NUM_THREADS": "2",
            "HF_HUB_OFFLINE": "1",
        }
        self.log = (self.folder / "server.log").open("wb")
        arguments = [part.format(port=self.port, folder=self.folder) for part in self.command]
        self.server = subprocess.Popen(
            arguments, cwd=self.folder, env=environment, stdout=self.log, stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api", timeout=2):
                    return
            except OSError:
                if time.monotonic() > deadline or self.server.poll() is not None:
                    raise RuntimeError((self.folder / "server.log").read_text()[-2000:]) from None
                time.sleep(0.1)

    def stop(self) -> None:
        if self.server:
            self.server.terminate()
            try:
                self.server.wait(15)
            except subprocess.TimeoutExpired:
                self.server.kill()
                self.server.wait()
            self.log.close()

    def write(self, name: str, *cells: str) -> Path:
        """A notebook with these code cells."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
        path = self.folder / f"{name}.ipynb"
        nbformat.write(notebook, path)
        return path

    def open(self, page, path: Path) -> None:
        raise NotImplementedError

    def run(self, page, *cells: str, selector: str = ".s2i") -> Path:
        """Write a notebook, open it, run all of it, wait for the widget, and return the notebook's path."""
        self.close()
        self.number += 1
        path = self.write(f"page{self.number}", *cells)
        self.open(page, path)
        page.evaluate(self.run_all)
        page.wait_for_selector(selector, timeout=60_000)
        return path

    def close(self) -> None:
        """End every kernel."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/sessions", timeout=10) as answer:
            sessions = json.load(answer)
        for session in sessions:
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.port}/api/sessions/{session['id']}", method="DELETE"
            )
            urllib.request.urlopen(request, timeout=30).close()

    def python(self, page, code: str) -> str:
        """Run code in the notebook's kernel and return what it prints; an error there is raised here."""
        answer = page.evaluate(self.execute, code)
        if answer["error"]:
            raise AssertionError(answer["error"])
        return answer["text"].strip()


class Lab(Lane):
    name = "lab"
    command = [
        sys.executable,
        *"-m jupyterlab --no-browser --allow-root --ServerApp.port={port} --IdentityProvider.token=".split(),
        "--LabApp.expose_app_in_browser=True",
        "--ServerApp.disable_check_xsrf=True",
        "--ServerApp.root_dir={folder}",
    ]
    run_all = "window.jupyterapp.commands.execute('notebook:run-all-cells')"
    execute = """async (code) => {
      const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
      const answer = {text: "", error: ""};
      const future = kernel.requestExecute({code, store_history: false});
      future.onIOPub = ({header, content}) => {
        if (header.msg_type === "stream") answer.text += content.text;
        if (header.msg_type === "error") answer.error = content.traceback.join("\\n");
      };
      await future.done;
      return answer;
    }"""
    idle = """() => {
      const shown = window.jupyterapp && window.jupyterapp.shell.currentWidget;
      const session = shown && shown.sessionContext && shown.sessionContext.session;
      return !!session && session.kernel && session.kernel.status === "idle";
    }"""

    def open(self, page, path: Path) -> None:
        page.goto(f"http://127.0.0.1:{self.port}/lab/tree/{path.name}?reset", wait_until="domcontentloaded")
        page.wait_for_function(self.idle, timeout=60_000)

    def save(self, page) -> None:
        page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")

    def set_theme(self, page, theme: str) -> None:
        name = f"JupyterLab {theme.capitalize()}"
        page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name)


class Colab(Lane):
    name = "colab"
    command = [
        str(COLAB),
        *"-m notebook --no-browser --allow-root --port={port} --NotebookApp.token=".split(),
        "--NotebookApp.disable_check_xsrf=True",
        "--NotebookApp.notebook_dir={folder}",
    ]
    run_all = "Jupyter.notebook.execute_all_cells()"
    # The reply may come before what was printed; so the end is printed as well.
    execute = """async (code) => {
      const answer = {text: "", error: ""}, end = "(that was all)";
      const output = ({header, content}) => {
        if (header.msg_type === "stream") answer.text += content.text;
        if (header.msg_type === "error") answer.error = content.traceback.join("\\n");
      };
      await new Promise((reply) => Jupyter.notebook.kernel.execute(
        `${code}\\nprint("${end}")`, {iopub: {output}, shell: {reply}}, {silent: false, store_history: false}
      ));
      const whole = () => answer.error || answer.text.includes(end);
      for (let i = 0; i < 1200 && !whole(); i++) await new Promise((resolve) => setTimeout(resolve, 25));
      if (!whole()) answer.error = "What the kernel printed did not arrive.";
      answer.text = answer.text.replace(end, "");
      return answer;
    }"""
    idle = (
        "() => window.Jupyter && Jupyter.notebook && Jupyter.notebook.kernel && Jupyter.notebook.kernel.is_connected()"
        " && Jupyter.notebook._fully_loaded"
    )

    def open(self, page, path: Path) -> None:
        # The widgets' extension asks a new kernel for widgets, says so when there are none, and then makes all outputs
        # anew: what ran before that would lose its display ids.
        asked = page.expect_console_message(lambda message: "jupyter.widget.control" in message.text, timeout=60_000)
        with asked:
            page.goto(f"http://127.0.0.1:{self.port}/notebooks/{path.name}", wait_until="domcontentloaded")
        page.wait_for_function(self.idle, timeout=60_000)
        page.wait_for_timeout(500)

    def save(self, page) -> None:
        page.evaluate("Jupyter.notebook.save_notebook()")

    def set_theme(self, page, theme: str) -> None:
        # The classic Notebook has no dark theme of its own; Colab's is an attribute and a dark page.
        colours = {"dark": ("#1e1e1e", "#eee"), "light": ("#fff", "#000")}[theme]
        page.evaluate(
            """([theme, paper, ink]) => {
              document.documentElement.setAttribute("theme", theme);
              document.head.append(Object.assign(document.createElement("style"), {textContent:
                `body, #notebook, #notebook-container, .cell, .output_area, .output { background: ${paper} !important; color: ${ink} }`}));
            }""",
            [theme, *colours],
        )

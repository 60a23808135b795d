"""Makes ready what the browser's tests need: a Chromium, and Colab's environment joined to ours."""

import os
import shutil
import subprocess
import sys
import sysconfig

from tests.browser.lanes import COLAB, find_browser


def join_environments() -> None:
    """Let the environment with Colab's versions find everything else in this one."""
    ask = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    there = subprocess.run([COLAB, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    with open(os.path.join(there, "zz_everything_else.pth"), "w", encoding="utf-8") as file:
        file.write(f"import site; site.addsitedir({sysconfig.get_paths()['purelib']!r})\n")


def install_browser() -> None:
    """Debian's Chromium, where this machine lets us install it; else say what to do. The tests tell if it is missing."""
    if find_browser():
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in ("update", "install --yes --no-install-recommends chromium"):
            if subprocess.run(["apt-get", "--quiet", *command.split()], env=quiet, stdout=sys.stderr).returncode:
                break
    if not find_browser():
        print(
            "No Chromium could be installed: the browser's tests will say so. Install it by hand, or name one in S2I_BROWSER."
        )


if __name__ == "__main__":
    join_environments()
    install_browser()

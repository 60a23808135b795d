"""``accelerate launch -m s2i_teach.translation.dataset IN OUT …``: the same as ``s2i dataset IN OUT …``."""

import sys

from s2i_teach.cli import main

if __name__ == "__main__":
    sys.exit(main(["dataset", *sys.argv[1:]]))

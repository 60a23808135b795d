"""What a person would look at: accessibility by axe-core, and pictures of what the browser shows."""

import io
import os
from pathlib import Path

from PIL import Image


def violations(page, selector: str) -> list[str]:
    """What axe-core finds wrong below ``selector``, each with its place; it should be nothing."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context=selector).response
    checked = len(found["passes"])
    assert checked >= 5, "axe looked at nothing"
    return [
        f"{rule['id']}: {rule['help']}: {node['html'][:200]}" for rule in found["violations"] for node in rule["nodes"]
    ]


def photograph(locator, name: str) -> None:
    """Save a picture of an element, as WebP, where ``S2I_PICTURES`` names a folder."""
    folder = os.environ.get("S2I_PICTURES")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        picture = Image.open(io.BytesIO(locator.screenshot())).convert("RGB")
        picture.save(Path(folder) / f"{name}.webp", quality=88, method=6)

"""What a person would look at: accessibility by axe-core, and pictures of what the browser shows."""

import os
from pathlib import Path


def violations(page, selector: str) -> list[str]:
    """What axe-core finds wrong in the part of the page below ``selector``, each with its place; it should be nothing."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context=selector).response
    checked = len(found["passes"])
    assert checked >= 5, "axe looked at nothing"
    return [
        f"{rule['id']}: {rule['help']}: {node['html'][:200]}" for rule in found["violations"] for node in rule["nodes"]
    ]


def photograph(locator, name: str) -> None:
    """Save a picture of an element where ``S2I_PICTURES`` names a folder."""
    folder = os.environ.get("S2I_PICTURES")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        locator.screenshot(path=Path(folder) / f"{name}.png")

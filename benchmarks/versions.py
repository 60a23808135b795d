"""Whether plain diffusers draws the same picture with the miniature in other environments.

``python -m benchmarks.versions PYTHON [PYTHON …]`` runs a few lines of plain diffusers, without this package, in this
interpreter and in each one named (for instance one with ``diffusers==0.39.0 transformers==5.15.0``, as on Colab), and
compares the pixels.
"""

import json
import subprocess
import sys

import numpy as np

from s2i_teach.paths import data_dir

CODE = """
import hashlib, json, sys, warnings
warnings.simplefilter("ignore")
import diffusers, numpy, torch, transformers
from diffusers import StableDiffusionImg2ImgPipeline
from PIL import Image
diffusers.logging.set_verbosity_error()
transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
pipe = StableDiffusionImg2ImgPipeline.from_pretrained(sys.argv[1] + "/mini")  # as the card says
pipe.set_progress_bar_config(disable=True)
sketch = Image.open(sys.argv[1] + "/sketches/turtle.png").convert("RGB").resize((128, 128))
picture = pipe("a turtle, openmoji style", image=sketch, strength=0.7, guidance_scale=4.0, num_inference_steps=20,
               generator=torch.Generator().manual_seed(0)).images[0]
pixels = numpy.asarray(picture)
print(json.dumps({"diffusers": diffusers.__version__, "transformers": transformers.__version__,
                  "torch": torch.__version__, "sha256": hashlib.sha256(pixels.tobytes()).hexdigest()[:16],
                  "pixels": pixels.tolist()}))
"""


def draw(python: str) -> dict:
    """What the interpreter at ``python`` draws: its versions and the hash of the pixels."""
    command = [python, "-c", CODE, str(data_dir())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{python} failed:\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> int:
    """Print a line for each interpreter; the exit status is 1 if a picture differs by more than rounding."""
    results = [draw(python) for python in (sys.executable, *sys.argv[1:])]
    pictures = [np.asarray(result.pop("pixels"), dtype=int) for result in results]
    worst = 0
    for result, picture in zip(results, pictures, strict=True):
        difference = int(np.abs(picture - pictures[0]).max())
        worst = max(worst, difference)
        words = "  ".join(f"{key} {value}" for key, value in result.items())
        print(f"{words}  differs from the first by at most {difference} of 255")
    return 0 if worst <= 2 else 1


if __name__ == "__main__":
    sys.exit(main())

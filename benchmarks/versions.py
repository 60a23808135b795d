"""Whether plain diffusers draws the same picture with the miniature in other environments.

``python -m benchmarks.versions PYTHON [PYTHON …]`` runs a few lines of plain diffusers, without this package, in this
interpreter and in each one named (for instance one with ``diffusers==0.39.0 transformers==5.15.0``, as on Colab), and
compares the pixels.
"""

import json
import subprocess
import sys

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
pipe = StableDiffusionImg2ImgPipeline.from_pretrained(sys.argv[1] + "/mini", torch_dtype=torch.float32)
pipe.set_progress_bar_config(disable=True)
sketch = Image.open(sys.argv[1] + "/sketches/turtle.png").convert("RGB").resize((128, 128))
picture = pipe("a turtle, openmoji style", image=sketch, strength=0.7, guidance_scale=4.0, num_inference_steps=20,
               generator=torch.Generator().manual_seed(0)).images[0]
pixels = numpy.asarray(picture)
print(json.dumps({"diffusers": diffusers.__version__, "transformers": transformers.__version__,
                  "torch": torch.__version__, "mean": float(pixels.mean()), "spread": float(pixels.std()),
                  "sha256": hashlib.sha256(pixels.tobytes()).hexdigest()}))
"""


def draw(python: str) -> dict:
    """What the interpreter at ``python`` draws: its versions and the hash of the pixels."""
    command = [python, "-c", CODE, str(data_dir())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{python} failed:\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> int:
    """Print a line for each interpreter; the exit status is 1 if the pictures differ."""
    results = [draw(python) for python in (sys.executable, *sys.argv[1:])]
    for result in results:
        print(
            "  ".join(
                f"{key} {value if not isinstance(value, float) else round(value, 3)}" for key, value in result.items()
            )
        )
    same = len({result["sha256"] for result in results}) == 1
    print("the same picture everywhere" if same else "the pictures differ")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())

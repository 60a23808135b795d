"""Pages as people photograph and scan them, made from clean ink, so that it is known what is right."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, zoom

from s2i_teach.gallery import find_sketch

SIDE = 480


@dataclass
class Paper:
    """A page before it is photographed: colours ``(H, W, 3)`` in [0, 1]; ``rng`` decides what is left to chance."""

    colours: np.ndarray
    rng: np.random.Generator

    def rule(self, pitch: float, colour, wide: float = 1.0, both: bool = True, tilt: float = 0.0):
        """Print lines of a colour at even distances across, and down if ``both``; ``tilt`` in degrees."""
        height, width = self.colours.shape[:2]
        y, x = np.mgrid[:height, :width] - np.array([height, width])[:, None, None] / 2
        angle = np.radians(tilt)
        start = self.rng.uniform(0, pitch)
        for along in [y * np.cos(angle) - x * np.sin(angle)] + [x * np.cos(angle) + y * np.sin(angle)] * both:
            from_line = np.abs((along + start) % pitch - pitch / 2)
            self._ink(np.clip(wide / 2 + 0.5 - from_line, 0, 1), colour)

    def draw(self, ink: np.ndarray, colour, strength: float = 1.0, grain: float = 0.0):
        """Draw where ``ink`` ``(H, W)`` is 1; ``grain`` is how much of it the paper's tooth leaves bare."""
        tooth = gaussian_filter(self.rng.normal(size=ink.shape), 0.8)
        bare = np.clip(tooth / tooth.std() * 0.5 + 0.5, 0, 1) * grain
        self._ink(ink * strength * (1 - bare), colour)

    def _ink(self, share: np.ndarray, colour):
        self.colours = self.colours * (1 - share[..., None]) + np.array(colour) / 255 * share[..., None]

    def light(self, low: float, angle: float = 0.5):
        """Let light fall from one side: 1 there, ``low`` at the other."""
        height, width = self.colours.shape[:2]
        y, x = np.mgrid[:height, :width]
        along = x / width * np.cos(angle) + y / height * np.sin(angle)
        along = (along - along.min()) / np.ptp(along)
        self.colours = self.colours * (low + (1 - low) * along)[..., None]

    def shadow(self, depth: float, soft: float = 0.06):
        """Let a hand's shadow fall on a corner."""
        height, width = self.colours.shape[:2]
        y, x = np.mgrid[:height, :width] / np.array([height, width])[:, None, None]
        away = np.hypot(x - self.rng.uniform(0.7, 1), y - self.rng.uniform(0.7, 1))
        self.colours = self.colours * (1 - depth / (1 + np.exp((away - 0.5) / soft)))[..., None]

    def photographed(self, noise: float = 0.015, blur: float = 0.7, quality: int = 80) -> Image.Image:
        """What a camera and JPEG make of it."""
        soft = gaussian_filter(self.colours, (blur, blur, 0))
        fine = self.rng.normal(0, noise, soft.shape[:2] + (1,)) + self.rng.normal(0, noise / 2, soft.shape)
        picture = Image.fromarray(((soft + fine).clip(0, 1) * 255).round().astype(np.uint8))
        with io.BytesIO() as file:
            picture.save(file, "JPEG", quality=quality)
            return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def ink_of(name: str, side: int = SIDE, thin: bool = False) -> np.ndarray:
    """An embedded sketch as ink ``(side, side)`` in [0, 1]; ``thin`` takes only the middles of its lines, 2 px wide."""
    picture = find_sketch(name).open().convert("L")
    picture = picture.resize((side, round(picture.height * side / picture.width)), Image.Resampling.LANCZOS)
    page = Image.new("L", (side, side), 255)
    page.paste(picture, (0, (side - picture.height) // 2))
    ink = 1 - np.asarray(page) / 255
    if thin:
        from skimage.morphology import skeletonize

        lines = gaussian_filter(skeletonize(ink > 0.5).astype(float), 0.8)
        ink = np.clip(lines / 0.3, 0, 1)
    return ink


def paper(seed: int, colour=(255, 255, 255), side: int = SIDE, fibre: float = 0.01) -> Paper:
    """A sheet of some colour, a little uneven."""
    rng = np.random.default_rng(seed)
    uneven = zoom(rng.normal(size=(9, 9)), side / 9, order=3)[:side, :side, None]
    return Paper(np.array(colour) / 255 * (1 + fibre * uneven), rng)


def _gradient_shadow(ink, seed):
    sheet = paper(seed, (236, 234, 228))
    sheet.draw(ink, (40, 40, 45))
    sheet.light(0.35, seed)
    sheet.shadow(0.35)
    return sheet.photographed()


def _coloured_paper(ink, seed):
    sheet = paper(seed, [(250, 236, 160), (190, 215, 235), (225, 190, 200), (176, 150, 110)][seed % 4])
    sheet.draw(ink, (45, 40, 40))
    return sheet.photographed(noise=0.01)


def _squared(ink, seed):
    sheet = paper(seed, [(250, 240, 180), (250, 250, 248)][seed % 2])
    colour = [(150, 190, 215), (190, 200, 190)][seed % 2]
    sheet.rule([24, 18, 30][seed % 3], colour, wide=1 + seed % 2, tilt=seed % 3 * 1.3)
    sheet.draw(ink, (30, 50, 160))
    sheet.light(0.8, seed)
    return sheet.photographed()


def _lined(ink, seed):
    sheet = paper(seed, (248, 246, 240))
    sheet.rule([34, 26][seed % 2], (120, 160, 220), wide=1.5, both=False, tilt=1 - seed % 3)
    sheet.draw(ink, [(30, 30, 40), (180, 30, 40)][seed % 2])
    sheet.light(0.6, seed)
    return sheet.photographed()


def _pencil(ink, seed):
    sheet = paper(seed, (225, 222, 214), fibre=0.015)
    sheet.draw(ink, (80, 80, 84), strength=0.7, grain=0.7)
    sheet.light(0.55, seed)
    return sheet.photographed(noise=0.02, blur=0.9, quality=60)


def _pens(ink, seed):
    sheet = paper(seed, (240, 238, 232))
    sheet.draw(ink, [(40, 70, 190), (200, 40, 40), (30, 130, 70)][seed % 3], strength=0.9)
    sheet.light(0.6, seed)
    return sheet.photographed(quality=70)


def _chalk(ink, seed):
    sheet = paper(seed, [(40, 70, 58), (52, 54, 58)][seed % 2], fibre=0.08)
    sheet.draw(ink, (228, 226, 216), strength=0.85, grain=0.6)
    sheet.light(0.6, seed)
    return sheet.photographed(noise=0.02)


def _scan(ink, seed):
    sheet = paper(seed, (253, 253, 253), fibre=0)
    sheet.draw(ink, (35, 35, 35))
    height, width = ink.shape
    y, x = np.mgrid[:height, :width]
    edge = [x, y, width - 1 - x, height - 1 - y][seed % 4]
    sheet.colours = sheet.colours * (1 - 0.65 * np.exp(-edge / (0.03 * width)))[..., None]
    sheet.colours = sheet.colours * (1 - 0.25 * np.exp(-x / (0.05 * width)))[..., None]
    return sheet.photographed(noise=0.006)


KINDS = {
    "gradient and shadow": (_gradient_shadow, False),
    "coloured paper": (_coloured_paper, False),
    "squared paper": (_squared, False),
    "lined paper": (_lined, False),
    "pencil": (_pencil, True),
    "coloured pens": (_pens, True),
    "chalk": (_chalk, False),
    "scan with a grey edge": (_scan, False),
}
"""Kind of page → how it is made, and whether with a thin pen."""

SKETCHES = ("house", "turtle", "snail_by_hand", "scene_house_and_tree")


def pages(kind: str):
    """Four pages of a kind: ``(name, the picture, its true ink (H, W) bool)``."""
    make, thin = KINDS[kind]
    for seed, name in enumerate(SKETCHES):
        ink = ink_of(name, thin=thin and not name.startswith("scene"))
        yield f"{kind}: {name}", make(ink, seed), ink > 0.5

"""What all families have in common: what they are told, how they learn, and the one call that they answer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from PIL import Image
from torch import nn

from s2i_teach.images import open_sketch, to_picture
from s2i_teach.lines import line_hint

SIDE = 128
"""Pixels of a family's pictures, both ways."""
TOKENS = 32
"""Tokens that a family is told of a caption."""


@dataclass(frozen=True)
class Told:
    """What a frozen CLIP makes of captions, and of pictures. What is not told is 0, an empty caption likewise.

    Attributes:
        tokens: the text tower's last hidden states, ``(B, 32, 128)``, for cross-attention.
        embedding: of the whole caption, projected to where CLIP compares it with pictures, ``(B, 128)``, of length 1.
        seen: a picture's embedding there, ``(B, 128)``, of length 1; None where no picture is known.
    """

    tokens: torch.Tensor
    embedding: torch.Tensor
    seen: torch.Tensor | None = None

    @classmethod
    def of_nothing(cls, number: int) -> "Told":
        """No words, for so many pictures."""
        return cls(torch.zeros(number, TOKENS, 128), torch.zeros(number, 128))

    def each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> "Told":
        """Every tensor changed, for instance taken to a device."""
        return Told(change(self.tokens), change(self.embedding), None if self.seen is None else change(self.seen))

    def beside(self, other: "Told") -> "Told":
        """Both as one batch."""
        seen = None if self.seen is None or other.seen is None else torch.cat([self.seen, other.seen])
        return Told(torch.cat([self.tokens, other.tokens]), torch.cat([self.embedding, other.embedding]), seen)


@dataclass
class Batch:
    """Pages to learn from.

    Attributes:
        hints: what a person might have drawn of each picture, white lines on black, ``(B, 1, 128, 128)`` in [0, 1].
        pictures: ``(B, 3, 128, 128)`` in [−1, 1].
        captions: a caption for each.
        index: the page's number in the stock, ``(B,)``, for what a family keeps of each page.
        told: what CLIP makes of the captions and of the pictures, for a family that reads the prompt.
    """

    hints: torch.Tensor
    pictures: torch.Tensor
    captions: list[str] = field(default_factory=list)
    index: torch.Tensor | None = None
    told: Told | None = None


class Family(nn.Module):
    """A network, or several, that turn a sketch's lines into a picture.

    Attributes:
        name: as commands and files have it.
        title: for people.
        paper: the source of its idea.
        reads_prompt: whether the words change the picture.
        learning_rate: of AdamW, which every part learns with.
        paces: part → how many times as fast as that it learns, where it is not 1.
        betas: of AdamW.
        batch_size: pages a step.
        evaluations: how often a network runs for a picture.
        not_shipped: beginnings of the names of weights that only the training needs.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[str]
    reads_prompt: ClassVar[bool] = False
    learning_rate: ClassVar[float] = 1e-3
    paces: ClassVar[dict[str, float]] = {}
    betas: ClassVar[tuple[float, float]] = (0.9, 0.99)
    batch_size: ClassVar[int] = 16
    evaluations: ClassVar[int] = 1
    not_shipped: ClassVar[tuple[str, ...]] = ()

    def parts(self) -> dict[str, nn.Module]:
        """Name → what learns by a loss of its own. A family with one loss has one part."""
        return {"network": self}

    def losses(self, batch: Batch, generator: torch.Generator) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
        """One step of learning: part by part its name and its losses, of which ``"loss"`` is the one to be made smaller.

        The part has taken its step before the next one is asked for.
        """
        raise NotImplementedError

    def generate(self, hints: torch.Tensor, generator: torch.Generator, text: Told | None = None) -> torch.Tensor:
        """Pictures ``(B, 3, 128, 128)`` in about [−1, 1] for hints ``(B, 1, 128, 128)`` in [0, 1], white lines on black.

        Args:
            generator: gives all the randomness.
            text: where the family reads the prompt, what CLIP makes of it; None for no words.
        """
        raise NotImplementedError

    @property
    def dtype(self) -> torch.dtype:
        """The precision of its weights."""
        return next(self.parameters()).dtype

    def num_parameters(self) -> int:
        """How many weights :meth:`generate` needs."""
        return sum(value.numel() for value in self.shipped().values())

    def shipped(self) -> dict[str, torch.Tensor]:
        """The weights that :meth:`generate` needs, by name."""
        return {
            name: value for name, value in self.state_dict().items() if not name.startswith(self.not_shipped or "\0")
        }


@dataclass(frozen=True)
class Facts:
    """What is known of a trained family: CPU minutes and steps of its training, parameters that ship."""

    cpu_minutes: float
    steps: int
    parameters: int


class FamilyTranslator:
    """A trained family behind the house's one call: ``translator(sketch, prompt, seed) -> PIL.Image``.

    Args:
        family: the network.
        facts: of its training, or None.
        read: captions → what CLIP makes of them, as :func:`s2i_teach.models.readers.read_captions`; for a family that
            reads the prompt.
    """

    def __init__(self, family: Family, facts: Facts | None = None, read: Callable[[list[str]], Told] | None = None):
        self.family, self.facts, self.read = family.eval(), facts, read

    def __call__(self, sketch, prompt: str = "", seed: int = 0) -> Image.Image:
        """The picture, 128 × 128, RGB.

        Args:
            sketch: anything that :func:`s2i_teach.open_sketch` opens; padded to a square.
            prompt: read by a family whose ``reads_prompt`` is true, and by no other.
            seed: of all randomness. A family without any gives the same picture for every seed.

        Raises:
            InputError: a sketch that cannot be opened.
        """
        return self.many([line_hint(open_sketch(sketch, (SIDE, SIDE)))], [prompt], [seed])[0]

    @torch.no_grad()
    def many(self, hints: list[Image.Image], prompts: list[str], seeds: list[int]) -> list[Image.Image]:
        """Pictures for hints as :func:`s2i_teach.lines.line_hint` makes them, each as it would come alone."""
        made = []
        for hint, prompt, seed in zip(hints, prompts, seeds, strict=True):
            text = self.read([prompt]) if self.family.reads_prompt and self.read else None
            x = self.family.generate(as_hint(hint), torch.Generator().manual_seed(seed), text)
            made.append(to_picture(x[0].clamp(-1, 1)))
        return made


def as_hint(picture: Image.Image) -> torch.Tensor:
    """White lines on black as ``(1, 1, H, W)`` in [0, 1]."""
    pixels = torch.frombuffer(bytearray(picture.convert("L").tobytes()), dtype=torch.uint8)
    return pixels.view(1, 1, picture.height, picture.width).float() / 255

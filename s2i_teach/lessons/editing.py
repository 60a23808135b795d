"""What lesson 21 needs of a pipeline: its guesses for several prompts at once, and its latents as pictures and back."""

from collections.abc import Callable, Sequence

import torch
from PIL import Image

from s2i_teach.errors import InputError
from s2i_teach.images import to_picture, to_tensor
from s2i_teach.models.attention_maps import changed_attention
from s2i_teach.models.kinds import Text as Encoded
from s2i_teach.models.kinds import decode_latents, encode_text, evaluate, kind_of
from s2i_teach.theory.guidance import classifier_free_guidance
from s2i_teach.theory.prediction import to_x0_and_eps
from s2i_teach.theory.prompt_to_prompt import align, edited_maps, leads
from s2i_teach.theory.sampler import levels_of
from s2i_teach.training import style


def latents_of(pipe, picture) -> torch.Tensor:
    """A picture as scaled latents ``(1, C, h, w)``, the likeliest that the VAE's encoder gives; always the same ones."""
    return style.latents_of(pipe, to_tensor(picture)[None])


@torch.no_grad()
def pictures_of(pipe, latents: torch.Tensor) -> list[Image.Image]:
    """Latents ``(B, C, h, w)`` as pictures."""
    return [to_picture(pixels) for pixels in decode_latents(pipe, latents).clamp(-1, 1)]


def guesser(pipe, prompts: str | Sequence[str], guidance_scale: float = 1.0) -> Callable:
    """``predict_eps(x, t)`` of a pipeline: ε̂ of ``(B, C, h, w)`` for as many prompts, guidance included.

    Without guidance, at scale 1, the network runs once for each sample, else twice; the first half is without words then.
    ``predict_eps.calls`` counts the evaluations of a single sample.

    Raises:
        InputError: a pipeline that is no plain Stable Diffusion.
    """
    if kind_of(pipe).name != "img2img":
        raise InputError('These steps are written for plain img2img pipelines: use a model such as "mini".')
    prompts = [prompts] if isinstance(prompts, str) else list(prompts)
    encoded = [encode_text(pipe, prompt, "") for prompt in prompts]
    with_words = Encoded.together([one for one, _ in encoded])
    without = Encoded.together([other for _, other in encoded if other is not None])
    guided = guidance_scale != 1
    text = Encoded.together([without, with_words]) if guided else with_words
    alpha_bar, kind = pipe.scheduler.alphas_cumprod, pipe.scheduler.config.prediction_type

    @torch.no_grad()
    def predict_eps(x: torch.Tensor, t: int) -> torch.Tensor:
        batch = torch.cat([x, x]) if guided else x
        answer = evaluate(pipe, batch, torch.full((len(batch),), t), text)
        if guided:
            answer = classifier_free_guidance(answer[: len(x)], answer[len(x) :], guidance_scale)
        predict_eps.calls += len(batch)  # type: ignore[attr-defined]
        return to_x0_and_eps(answer, kind, x, alpha_bar[t].item())[1]

    predict_eps.calls = 0  # type: ignore[attr-defined]
    return predict_eps


def tokens_of(pipe, prompt: str) -> list[int]:
    """The tokens of a prompt with start, end and padding, as the text encoder reads them."""
    length = pipe.tokenizer.model_max_length
    return pipe.tokenizer(prompt, padding="max_length", truncation=True, max_length=length).input_ids


def places_of(pipe, prompt: str, word: str) -> list[int]:
    """At which places of :func:`tokens_of` a word of the prompt stands; it may have several pieces.

    Raises:
        InputError: the prompt does not have the word.
    """
    whole, pieces = tokens_of(pipe, prompt), pipe.tokenizer(word, add_special_tokens=False).input_ids
    for start in range(len(whole) - len(pieces) + 1):
        if pieces and whole[start : start + len(pieces)] == pieces:
            return list(range(start, start + len(pieces)))
    raise InputError(f"The prompt {prompt!r} does not have the word {word!r}: give one that stands in it.")


def side_by_side(
    pipe,
    source: str,
    target: str,
    x: torch.Tensor,
    timesteps: list[int],
    step: Callable,
    *,
    share: float = 0.8,
    weights: dict[str, float] | None = None,
    guidance_scale: float = 4.0,
    edit: Callable = edited_maps,
) -> torch.Tensor:
    """Both prompts from the same noise ``x`` ``(1, C, h, w)``, the second one with the first one's maps: ``(2, C, h, w)``.

    Args:
        step: ``step(x, eps, a, a_prev)``, without noise of its own.
        share: the share of the steps in which the maps are exchanged (:func:`s2i_teach.theory.prompt_to_prompt.leads`).
        weights: word of the target → a factor for its maps, in all steps.
        edit: as :func:`s2i_teach.theory.prompt_to_prompt.edited_maps`.

    Raises:
        InputError: a word that the target does not have.
    """
    predict = guesser(pipe, [source, target], guidance_scale)
    of = align(tokens_of(pipe, source), tokens_of(pipe, target))
    scale = torch.ones(len(of))
    for word, factor in (weights or {}).items():
        scale[places_of(pipe, target, word)] = factor
    alpha_bar = pipe.scheduler.alphas_cumprod
    levels = levels_of(alpha_bar, timesteps, final=alpha_bar[0].item())
    at = 0

    def change(layer: str, maps: torch.Tensor) -> torch.Tensor:
        """Of the batch's four, or two without guidance, the last two are the source and the target with their words."""
        own = torch.full_like(of, -1)
        changed = edit(maps[-2], maps[-1], of if leads(at, len(timesteps), share) else own, scale)
        return torch.cat([maps[:-1], changed[None]])

    x = x.repeat(2, 1, 1, 1)
    with changed_attention(pipe.unet, change):
        for at, (t, a, a_prev) in enumerate(zip(timesteps, levels, levels[1:], strict=False)):  # noqa: B007
            x = step(x, predict(x, t), a, a_prev)
    return x

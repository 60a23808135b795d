"""Trains the miniature's U-Net on latents of the frozen VAE, steered by the frozen text tower."""

import random
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from tqdm.auto import tqdm

from s2i_teach.theory.prediction import v_from_x0_and_eps
from s2i_teach.training.doodles import doodle
from s2i_teach.training.loop import Budget, Trainer, make_accelerator, save_grid
from s2i_teach.training.pages import Page, PageMaker
from s2i_teach.training.pictures import Pairs, load_pairs
from s2i_teach.training.pool import Pool, Whole
from s2i_teach.training.text import WIDTH, tokenize
from s2i_teach.training.vocabulary import STYLES, caption

CONFIG = dict(
    sample_size=16,
    in_channels=4,
    out_channels=4,
    layers_per_block=1,
    block_out_channels=(96, 128, 160, 192),
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    cross_attention_dim=WIDTH,
    attention_head_dim=4,  # diffusers' name for the number of heads in Stable Diffusion 1's U-Net
    norm_num_groups=16,
)

SCHEDULE = dict(
    num_train_timesteps=1000,
    beta_start=0.00085,
    beta_end=0.012,
    beta_schedule="scaled_linear",
    clip_sample=False,
    set_alpha_to_one=False,
    steps_offset=1,
    # Written out although it is DDIM's default: a default is forgotten when another scheduler is made from this one.
    timestep_spacing="leading",
    prediction_type="v_prediction",
)
"""Stable Diffusion 1's noise schedule. The U-Net predicts v, as Stable Diffusion 2's does: see ``loss_weight``."""


def build_unet(**changes):
    """An untrained U-Net of the miniature's shape; ``changes`` replace entries of ``CONFIG``."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(**{**CONFIG, **changes})


def loss_weight(snr: torch.Tensor, gamma: float = 5.0) -> torch.Tensor:
    """Weight of the mean squared error of v: 1 up to SNR = γ, then falling so that the error of x̂_0 counts no more.

    ‖v − v̂‖² = (1 + SNR) · ‖x_0 − x̂_0‖², so the error of x̂_0 has the weight min(1 + SNR, 1 + γ): Hang et al.'s (2023)
    cap on the nearly clean pictures, and never below 1 on the nearly empty ones. There, where the words alone decide what
    will be drawn, the loss of ε has the weight SNR, down to 0.005: a U-Net that predicted ε learned no shapes from words.
    """
    return ((1 + gamma) / (1 + snr)).clamp(max=1.0)


def draw_timesteps(number: int, steps: int, generator: torch.Generator) -> torch.Tensor:
    """Timesteps ``(number,)`` from 0 to ``steps`` − 1: half of them even, half with density ∝ √t.

    Where much noise is, shapes are decided; but with √t alone a tenth of the samples have t < 200, where faces, stripes
    and all that is small is decided.
    """
    even = torch.rand(number, generator=generator)
    late = torch.rand(number, generator=generator) < 0.5
    return (steps * torch.where(late, even ** (2 / 3), even)).long().clamp(max=steps - 1)


def noisier(t: torch.Tensor, steps: int, share: float, generator: torch.Generator) -> torch.Tensor:
    """Timesteps ``t (N,)``, of which a random ``share`` is moved into the noisier half, from [0, ``steps``) to [``steps`` / 2, ``steps``)."""
    moved = torch.rand(len(t), generator=generator) < share
    return torch.where(moved, (t + steps) // 2, t)


class Led(nn.Module):
    """A U-Net and, if there is one, the ControlNet that leads it, trained together."""

    def __init__(self, unet, controlnet=None):
        super().__init__()
        self.unet, self.controlnet = unet, controlnet

    def forward(self, x_t, t, text, hints=None) -> torch.Tensor:
        """The prediction ``(B, 4, h, w)``; the first ``len(hints)`` samples are led by ``hints (H, 3, 8h, 8w)``."""
        extra = {}
        if self.controlnet is not None and hints is not None and len(hints):
            led = slice(0, len(hints))
            down, middle = self.controlnet(
                x_t[led], t[led], encoder_hidden_states=text[led], controlnet_cond=hints, return_dict=False
            )
            rest = len(x_t) - len(hints)
            down = [torch.cat([part, part.new_zeros(rest, *part.shape[1:])]) for part in down]
            middle = torch.cat([middle, middle.new_zeros(rest, *middle.shape[1:])])
            extra = {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
        return self.unet(x_t, t, text, **extra).sample


HINT_CHANNELS = (16, 32, 64, 96)
"""Of the ControlNet's layers that bring the hint from pixels to latents, 128 × 128 to 16 × 16."""


def build_controlnet(unet):
    """A ControlNet for this U-Net: its encoder's copy, and nothing added yet (Zhang et al. 2023)."""
    from diffusers import ControlNetModel

    return ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=HINT_CHANNELS)


def assemble(vae, text_encoder, tokenizer, unet):
    """The parts as one ``StableDiffusionImg2ImgPipeline`` with a DDIM scheduler."""
    from diffusers import DDIMScheduler, StableDiffusionImg2ImgPipeline

    return StableDiffusionImg2ImgPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DDIMScheduler(**SCHEDULE),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def load_parts(text_folder: str | Path, vae_folder: str | Path):
    """The frozen parts: ``(tokenizer, text_encoder, vae)`` in fp32."""
    from diffusers import AutoencoderKL
    from transformers import CLIPTokenizer

    from s2i_teach.models.shims import load_text_encoder

    tokenizer = CLIPTokenizer.from_pretrained(str(Path(text_folder) / "tokenizer"))
    text_encoder = load_text_encoder(Path(text_folder) / "text_encoder").requires_grad_(False)
    vae = AutoencoderKL.from_pretrained(vae_folder, use_safetensors=True).float().eval().requires_grad_(False)
    return tokenizer, text_encoder, vae


class FrozenParts:
    """What the trainings of the U-Net look at and do not change: VAE, text tower and the noise schedule ᾱ.

    Attributes:
        alpha_bar: ``(T,)`` on the device.
    """

    def __init__(self, text_folder: str | Path, vae_folder: str | Path, accelerator):
        from diffusers import DDPMScheduler

        self.tokenizer, self.text_encoder, self.vae = load_parts(text_folder, vae_folder)
        self.device, self._autocast = accelerator.device, accelerator.autocast
        self.text_encoder.to(self.device)
        self.vae.to(self.device, memory_format=torch.channels_last)
        schedule = {k: v for k, v in SCHEDULE.items() if k not in ("set_alpha_to_one", "steps_offset")}
        self.alpha_bar = DDPMScheduler(**schedule).alphas_cumprod.to(self.device)

    @torch.no_grad()
    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Pictures ``(B, 3, H, W)`` → scaled latents ``(B, 4, H / 8, W / 8)``, the likeliest ones."""
        with self._autocast():
            z = self.vae.encode(x.to(self.device).contiguous(memory_format=torch.channels_last)).latent_dist.mode()
        return z.float() * self.vae.config.scaling_factor

    @torch.no_grad()
    def embed(self, captions: list[str]) -> torch.Tensor:
        """Captions as the U-Net takes them, ``(B, L, D)``."""
        with self._autocast():
            return self.text_encoder(tokenize(self.tokenizer, captions).to(self.device))[0]


def train_unet(
    out: str | Path,
    text_folder: str | Path,
    vae_folder: str | Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    batch_size: int = 32,
    lr: float = 1e-3,
    hinted: float = 0.0,
    whole: float = 0.0,
    people: Callable | None = None,
    by_people: float = 0.5,
    noisy: float = 0.0,
    freeze_unet: bool = False,
    freeze_hints: bool = False,
    further: Callable | None = None,
    empty_captions: float = 0.1,
    core_only: bool = True,
    config: dict | None = None,
    start_from: str | Path | None = None,
    control_from: str | Path | None = None,
    seed: int = 0,
    resume: bool = False,
    optimizer: str = "adamw",
    fall: float = 0.3,
    samples: bool = True,
    sample_every: float = 1200,
    pool_batches: int = 100,
    pairs: Pairs | None = None,
    device: str | None = None,
):
    """Train the U-Net and, with ``hinted``, a ControlNet that leads it. Returns the :class:`Led` pair.

    Writes ``out/unet`` and ``out/controlnet`` (diffusers' format, fp32, averaged weights).

    v-prediction on Stable Diffusion's schedule, weights of :func:`loss_weight`, a share of empty captions for guidance, on
    pages of one or several things (:mod:`s2i_teach.training.pages`), 128 × 128 and 192 × 128.
    With ``core_only`` the things are those that people like to draw; else all of the train split.

    Args:
        hinted: share of the samples that see a doodle of their page; the rest keeps plain img2img good.
        whole: share of the samples without a hint, on pages of 128 × 128, that show one picture as it is
            (:class:`s2i_teach.training.pool.Whole`). Words alone then say what to draw and hardly where.
        people: makes a stock of people's drawings with their pictures, from the page maker, the encoder, ``(k, n)`` for the
            k-th of n processes, and a seed; see :class:`s2i_teach.training.people.People`.
        by_people: with it, the share of the hints on pages of 128 × 128 that are such drawings.
        noisy: share of the samples with a hint whose timestep is drawn from the schedule's noisier half alone. There the
            shape and the thing of a picture are decided.
        freeze_unet: only the ControlNet learns.
        freeze_hints: the ControlNet's layers from the hint's pixels to the latents' size, the dearest of its layers, stay as they are.
        further: makes a loss that is added to each update's, from the frozen parts, the pairs, a seed, and the stock
            of people's drawings or None: ``(led, step, generator, autocast) → tensor``. See :func:`s2i_teach.training.naming.naming_loss`.
        start_from, control_from: folders of a U-Net and a ControlNet to go on from; the latter is else the U-Net's copy.
        fall: share of the budget, from its end, over which the learning rate falls.
        samples: draws a sheet of pictures every ``sample_every`` seconds, and prints the errors of fixed pages.
        pool_batches: see :class:`s2i_teach.training.pool.Pool`.
    """
    from diffusers import ControlNetModel, UNet2DConditionModel
    from diffusers.models.attention_processor import AttnProcessor

    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    accelerator = make_accelerator(device)
    device = accelerator.device
    frozen = FrozenParts(text_folder, vae_folder, accelerator)
    pairs = pairs or load_pairs("train").select(lambda row: row["core"] or not core_only)

    maker = PageMaker(pairs)
    own_seed = seed + 1000 * accelerator.process_index
    pool = Pool(maker, frozen.encode, batches=pool_batches, seed=own_seed)
    as_they_are = Whole(maker, frozen.encode) if whole else None
    place = (accelerator.process_index, accelerator.num_processes)
    drawn = people(maker, frozen.encode, place, own_seed) if people and hinted else None

    torch.manual_seed(seed)
    # In bf16 on a CPU these small maps are faster as they are (52 pictures/s a core against 46), else in channels_last
    # (in fp32 on a CPU without bf16 10.2 against 9.2).
    plain = device.type == "cpu" and accelerator.mixed_precision == "bf16"
    layout = torch.contiguous_format if plain else torch.channels_last
    unet = (
        UNet2DConditionModel.from_pretrained(start_from, use_safetensors=True)
        if start_from
        else build_unet(**(config or {}))
    )
    controlnet = None
    if hinted:
        controlnet = (
            ControlNetModel.from_pretrained(control_from, use_safetensors=True)
            if control_from
            else build_controlnet(unet)
        )
    led = Led(unet, controlnet).float().to(memory_format=layout).train()
    for part in (unet, controlnet):
        if part is not None and plain:
            # There the fused attention's backward pass takes a fifth of the step; the plain one gives the same numbers.
            part.set_attn_processor(AttnProcessor())
    if freeze_unet:
        unet.requires_grad_(False)
    if freeze_hints and controlnet is not None:
        controlnet.controlnet_cond_embedding.requires_grad_(False)
    alpha_bar = frozen.alpha_bar
    snr = alpha_bar / (1 - alpha_bar)
    added = further(frozen, pairs, own_seed, drawn) if further else None

    def errors(x0, eps, t, captions, hints):
        """Squared errors of v ``(B,)``."""
        root = alpha_bar[t].view(-1, 1, 1, 1)
        x_t = (root.sqrt() * x0 + (1 - root).sqrt() * eps).contiguous(memory_format=layout)
        text = frozen.embed(captions)
        with accelerator.autocast():
            predicted = led(x_t, t, text, hints).float()
        return F.mse_loss(predicted, v_from_x0_and_eps(x0, eps, root), reduction="none").flatten(1).mean(1)

    def step_fn(step, generator):
        pool.advance(step, lambda numbers: tqdm(numbers, desc="pages", mininterval=10))
        x0, lines, inside, pages = pool.draw(batch_size, generator)
        rng = random.Random(int(torch.randint(2**31, (), generator=generator)))
        count = round(hinted * len(x0))
        by_person = torch.zeros(len(x0), dtype=torch.bool)
        if x0.shape[-1] == x0.shape[-2]:
            for i in range(len(x0)):
                if i < count and drawn is not None and rng.random() < by_people:
                    x0[i], lines[i], inside[i], pages[i] = drawn.draw(rng)
                    by_person[i] = True
                elif i >= count and as_they_are is not None and rng.random() < whole:
                    x0[i], pages[i] = as_they_are.draw(rng)
        captions = [
            "" if rng.random() < empty_captions else maker.caption(page, rng, led=i < count)
            for i, page in enumerate(pages)
        ]
        hints = doodle(lines[:count], inside[:count], generator, by_person[:count]).to(device) if count else None
        eps = torch.randn(x0.shape, generator=generator).to(device)
        t = draw_timesteps(len(x0), len(alpha_bar), generator)
        if noisy:
            t[:count] = noisier(t[:count], len(alpha_bar), noisy, generator)
        t = t.to(device)
        error = errors(x0.to(device), eps, t, captions, hints)
        losses = {"loss": (loss_weight(snr[t]) * error).mean(), "mse": error.mean().detach()}
        if count:
            losses |= {"led": error[:count].mean().detach(), "alone": error[count:].mean().detach()}
        if added:
            value = added(led, step, generator, accelerator.autocast)
            losses |= {"loss": losses["loss"] + value, "further": value.detach()}
        return losses

    def sample_fn(model, step):
        generator = torch.Generator().manual_seed(7)
        x0, lines, inside, pages = fixed.draw(96, generator)
        captions = [caption_of(maker, page) for page in pages]
        hints = doodle(lines, inside, generator).to(device)
        eps = torch.randn(x0.shape, generator=generator).to(device)
        said = []
        for name, given in (("alone", None), ("led", hints))[: 2 if controlnet is not None else 1]:
            table = []
            for t in (100, 300, 500, 700, 900):
                steps = torch.full((len(x0),), t, device=device)
                parts = [
                    errors(x0[k], eps[k], steps[k], captions[k], given if given is None else given[k])
                    for k in (slice(i, i + 32) for i in range(0, len(x0), 32))
                ]
                table.append(torch.cat(parts).mean().item())
            said.append(f"{name} " + " ".join(f"{value:.4f}" for value in table))
        print(f"step {step}: mse of v at t = 100, 300, 500, 700, 900: {'; '.join(said)}", flush=True)
        pipe = assemble(frozen.vae, frozen.text_encoder, frozen.tokenizer, unet)
        with accelerator.autocast():
            draw_samples(pipe, pairs, out / f"unet-{step:06d}.png")
            if controlnet is not None:
                draw_led(pipe, controlnet, out / f"led-{step:06d}.png")

    if samples and accelerator.is_main_process:
        fixed = Pool(maker, frozen.encode, batches=24, seed=seed + 99)
        fixed.advance(0)
    trainer = Trainer(
        out,
        led,
        step_fn,
        Budget(steps, minutes),
        accelerator=accelerator,
        lr=lr,
        seed=seed,
        resume=resume,
        sample_fn=sample_fn if samples else None,
        sample_every=sample_every,
        name="unet" if controlnet is None else "control",
        ema=0.9995,
        optimizer=optimizer,
        fall=fall,
    )
    led = trainer.run().eval()
    for name, part in (("unet", unet), ("controlnet", controlnet)):
        if part is not None:
            part.set_default_attn_processor()
            if accelerator.is_main_process:
                part.save_pretrained(out / name)
    return led


def caption_of(maker: PageMaker, page: Page) -> str:
    """The full caption of a page, with the words for its style."""
    return maker.caption(page, random.Random(0), style_word=1.0)


SHOWN = ("turtle", "cat", "house", "sailboat", "mushroom", "rocket", "strawberry", "owl", "bicycle", "backpack")


@torch.no_grad()
def draw_samples(
    pipe, pairs: Pairs, path: str | Path, num_inference_steps: int = 25, guidance_scale: float = 4.0
) -> None:
    """One sheet: ten things in five styles from a blank page, then line drawings of them and pictures from those."""
    pipe.set_progress_bar_config(disable=True)
    side = pipe.unet.config.sample_size * 2 ** (len(pipe.vae.config.block_out_channels) - 1)
    things = [thing for thing in SHOWN if any(row["thing"] == thing for row in pairs.rows)]
    rows = []
    for style in STYLES[:5]:
        blank = torch.ones(len(things), 3, side, side, device=pipe.device)
        rows.append(_run(pipe, [caption(t, style) for t in things], blank, 1.0, num_inference_steps, guidance_scale))
    lines = [next(i for i, r in enumerate(pairs.rows) if r["thing"] == t and r["style"] == "line") for t in things]
    sketches = pairs.batch(torch.tensor(lines), pipe.device)
    sketches[::2] = sketches[::2].flip(3)
    small = F.interpolate(sketches, scale_factor=0.6, mode="bilinear", antialias=True)
    sketches = F.pad(small, [side - small.shape[3], 0, side - small.shape[2], 0], value=1.0)
    rows.append(sketches)
    for strength in (0.5, 0.7, 0.9):
        prompts = [caption(t, "openmoji") for t in things]
        rows.append(_run(pipe, prompts, sketches, strength, num_inference_steps, guidance_scale))
    save_grid(torch.cat([row.cpu().float() for row in rows]), path, len(things))


def _run(pipe, prompts, image, strength, steps, guidance):
    generators = [torch.Generator().manual_seed(i) for i in range(len(prompts))]
    pictures = pipe(
        prompt=prompts,
        image=image,
        strength=strength,
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=generators,
        output_type="pt",
    ).images
    return pictures * 2 - 1


@torch.no_grad()
def draw_led(pipe, controlnet, path: str | Path, num_inference_steps: int = 20, guidance_scale: float = 4.0) -> None:
    """One sheet of the embedded sketches that are square: hints, then pictures led by them."""
    from diffusers import DDIMScheduler, StableDiffusionControlNetPipeline

    from s2i_teach.gallery import sketches
    from s2i_teach.images import open_sketch, to_tensor
    from s2i_teach.lines import line_hint

    led = StableDiffusionControlNetPipeline(
        **{name: part for name, part in pipe.components.items() if name not in ("scheduler", "image_encoder")},
        controlnet=controlnet,
        scheduler=DDIMScheduler(**SCHEDULE),
        requires_safety_checker=False,
    )
    led.set_progress_bar_config(disable=True)
    shown = [sketch for sketch in sketches() if sketch.kind != "scene"]
    hints = torch.stack([(to_tensor(line_hint(open_sketch(s.path), (128, 128))) + 1) / 2 for s in shown])
    pictures = led(
        prompt=[sketch.prompt for sketch in shown],
        image=hints,
        num_inference_steps=num_inference_steps,
        guidance_scale=guidance_scale,
        generator=[torch.Generator().manual_seed(i) for i in range(len(shown))],
        output_type="pt",
    ).images
    rows = []
    for part in torch.arange(len(shown)).split(12):
        blank = torch.ones(12 - len(part), *hints.shape[1:])
        rows += [hints[part] * 2 - 1, blank, pictures[part].cpu().float() * 2 - 1, blank]
    save_grid(torch.cat(rows), path, 12)

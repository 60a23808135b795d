"""Trains a CLIP in small: a tokenizer, a text tower and an image tower, on the embedded pictures and captions.

The text tower is then frozen and steers the U-Net, as in Stable Diffusion; the image tower judges pictures offline.
"""

import json
import random
from pathlib import Path

import torch
import torch.nn.functional as F

from s2i_teach.files import write_tensors
from s2i_teach.models.small_clip import clip_pixels, pooled
from s2i_teach.training.loop import Budget, Trainer, make_accelerator
from s2i_teach.training.pictures import Pairs, augment, load_pairs
from s2i_teach.training.vocabulary import HUES, STYLE_WORDS, STYLES, caption, varied_caption

WIDTH = 128
"""Width of the text embeddings: the U-Net's ``cross_attention_dim``."""
MAX_TOKENS = 77
"""Length of the token sequence, as in CLIP."""
START, END = "<|startoftext|>", "<|endoftext|>"

# Words that prompts have and captions of single things do not.
_PROMPT_WORDS = """
a an the of on in with and or no not very two three many one red orange yellow green turquoise blue purple pink white
black grey brown drawing sketch picture photo painting illustration icon colourful bright dark small big large little
happy sad blurry low quality bad ugly text watermark under over beside between sky ground grass hill water scene
"""


def train_tokenizer(rows: list[dict], folder: str | Path, vocabulary: int = 3000) -> None:
    """Learn byte-pair merges from the captions, names and tags of ``rows``; write ``vocab.json`` and ``merges.txt``.

    The layout is CLIP's: 256 bytes, the same with the end-of-word mark, the merges, start and end of text.
    ``tokenizer.json`` is not written: transformers 4 cannot read the one of transformers 5, and both read these files.
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token=END))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    # The trainer would put the end-of-word bytes only where it meets them; every byte must be writable at both places.
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    texts = [" ".join(_PROMPT_WORDS.split())] * 20 + [" ".join(STYLE_WORDS.values()), " ".join(HUES)] * 20
    for row in rows:
        texts += [row["text"], row["thing"], " ".join(row["tags"])]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - 2,
        min_frequency=2,
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    merges = [
        tuple(merge) if not isinstance(merge, str) else tuple(merge.split(" "))
        for merge in json.loads(tokenizer.to_str())["model"]["merges"]
    ]
    tokens = alphabet + [letter + "</w>" for letter in alphabet] + ["".join(merge) for merge in merges] + [START, END]
    vocab = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2"] + [" ".join(merge) for merge in merges]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": MAX_TOKENS,
        "bos_token": START,
        "eos_token": END,
        "unk_token": END,
        "pad_token": END,
        "do_lower_case": True,
        "errors": "replace",
        "add_prefix_space": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    special = {key: config[key] for key in ("bos_token", "eos_token", "unk_token", "pad_token")}
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n", encoding="utf-8")


def build_clip(vocabulary: int):
    """An untrained CLIP: text tower 4 layers × 128, image tower a ViT of 4 layers × 192 on patches of 16 pixels."""
    from transformers import CLIPConfig, CLIPModel

    text = dict(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=MAX_TOKENS,
        projection_dim=WIDTH,
        hidden_act="quick_gelu",
        bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1,
        pad_token_id=vocabulary - 1,
    )
    vision = dict(
        hidden_size=192,
        intermediate_size=768,
        num_hidden_layers=4,
        num_attention_heads=6,
        image_size=128,
        patch_size=16,
        projection_dim=WIDTH,
        hidden_act="quick_gelu",
    )
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=WIDTH))


def tokenize(tokenizer, captions: list[str], padding: str = "max_length") -> torch.Tensor:
    """Token ids ``(B, 77)``, padded and cut as the diffusers pipelines do; ``(B, longest)`` with padding "longest"."""
    return tokenizer(captions, padding=padding, max_length=MAX_TOKENS, truncation=True, return_tensors="pt").input_ids


def train_text(
    out: str | Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    batch_size: int = 96,
    lr: float = 1e-3,
    seed: int = 0,
    resume: bool = False,
    pairs: Pairs | None = None,
    device: str | None = None,
):
    """Train tokenizer and CLIP; writes ``out/tokenizer``, ``out/text_encoder`` and ``out/clip``. Returns the CLIPModel.

    The loss is CLIP's: cross-entropy both ways over the batch's cosine similarities (Radford et al. 2021, figure 3).
    """
    from transformers import CLIPTokenizer

    out = Path(out)
    accelerator = make_accelerator(device)
    pairs = pairs or load_pairs("train")
    if not (resume and (out / "tokenizer" / "vocab.json").is_file()):
        train_tokenizer(pairs.rows, out / "tokenizer")
    tokenizer = CLIPTokenizer.from_pretrained(str(out / "tokenizer"))
    torch.manual_seed(seed)
    clip = build_clip(len(tokenizer)).train()

    def step_fn(step, generator):
        index = torch.randperm(len(pairs), generator=generator)[:batch_size]
        rows = [pairs.rows[i] for i in index]
        x, colours = augment(pairs.batch(index, accelerator.device), [row["style"] for row in rows], generator)
        rng = random.Random(int(torch.randint(2**31, (), generator=generator)))
        captions = [
            varied_caption(row["thing"], row["style"], row["tags"], rng, colour)
            for row, colour in zip(rows, colours, strict=True)
        ]
        # The text tower is causal: what follows the end token does not change the embedding, and costs time.
        ids = tokenize(tokenizer, captions, "longest").to(accelerator.device)
        with accelerator.autocast():
            logits = clip(input_ids=ids, pixel_values=clip_pixels(x)).logits_per_text.float()
        target = torch.arange(len(rows), device=logits.device)
        loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
        right = (logits.argmax(1) == target).float().mean()
        return {"loss": loss, "right": right.detach()}

    def sample_fn(model, step):
        top1, top5 = name_things(model, tokenizer, pairs, accelerator)
        print(f"step {step}: names the trained thing among all: top-1 {top1:.1%}, top-5 {top5:.1%}", flush=True)

    trainer = Trainer(
        out,
        clip,
        step_fn,
        Budget(steps, minutes),
        accelerator=accelerator,
        lr=lr,
        weight_decay=0.1,
        betas=(0.9, 0.98),
        seed=seed,
        resume=resume,
        sample_fn=sample_fn,
        name="text",
    )
    clip = trainer.run().eval()
    save_clip(clip, tokenizer, out)
    return clip


@torch.no_grad()
def name_things(clip, tokenizer, pairs: Pairs, accelerator, pictures: int = 400) -> tuple[float, float]:
    """How often the CLIP finds a picture's thing among all things by their captions in the same style: top-1, top-5."""
    names = sorted({row["thing"] for row in pairs.rows})
    index = torch.linspace(0, len(pairs) - 1, pictures).long()
    rows = [pairs.rows[i] for i in index]
    with accelerator.autocast():
        image = F.normalize(
            torch.cat(
                [pooled(clip, pixels=part) for part in clip_pixels(pairs.batch(index, accelerator.device)).split(50)]
            ),
            dim=-1,
        )
        ranks = []
        for style in STYLES:
            chosen = [k for k, row in enumerate(rows) if row["style"] == style]
            if not chosen:
                continue
            ids = tokenize(tokenizer, [caption(name, style) for name in names]).to(accelerator.device)
            text = F.normalize(torch.cat([pooled(clip, ids=part) for part in ids.split(100)]), dim=-1)
            order = (image[chosen] @ text.T).argsort(1, descending=True)
            for row, k in zip(order.tolist(), chosen, strict=True):
                ranks.append([names[j] for j in row].index(rows[k]["thing"]))
    ranks = torch.tensor(ranks)
    return (ranks == 0).float().mean().item(), (ranks < 5).float().mean().item()


def save_clip(clip, tokenizer, out: str | Path) -> None:
    """Write ``out/text_encoder``, the text tower, and ``out/clip``, all else, in fp16, with names that every transformers reads.

    transformers ≥ 5.6 would save a lone CLIPTextModel without the ``text_model.`` prefix, and 4.x then fills it with
    random numbers; with the prefix all versions load it.
    """
    out = Path(out)
    state = {name: value.half() for name, value in clip.state_dict().items()}
    state = {name: value for name, value in state.items() if "position_ids" not in name}
    text = {name: state.pop(name) for name in list(state) if name.startswith("text_model.")}
    for folder, weights, config, architecture in (
        ("clip", state, clip.config, "CLIPModel"),
        ("text_encoder", text, clip.config.text_config, "CLIPTextModel"),
    ):
        write_tensors(out / folder / "model.safetensors", weights, {"format": "pt"})
        table = {**config.to_dict(), "architectures": [architecture]}
        for key in ("dtype", "torch_dtype", "_name_or_path", "transformers_version"):
            table.pop(key, None)
        (out / folder / "config.json").write_text(json.dumps(table, indent=2, sort_keys=True) + "\n", encoding="utf-8")

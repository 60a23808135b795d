"""Models from the hub, in a program of its own that talks to a hub on this machine: what is fetched, what is said, what fails."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from s2i_teach import InputError
from s2i_teach.models import catalog, hub
from s2i_teach.models.catalog import LICENCES, MODELS
from s2i_teach.models.kinds import KINDS, kind_of
from s2i_teach.models.listing import listing
from s2i_teach.models.untrained import SHAPES
from tests.hub import Hub

ROOT = Path(__file__).resolve().parent.parent

PROGRAM = """
import contextlib, hashlib, io, json, shutil, sys
from dataclasses import replace
import torch
torch.set_num_threads(1)
from huggingface_hub import constants
from s2i_teach import InputError, Settings, load_pipeline, translate
from s2i_teach.models import catalog, hub

hub.WORTH_SAYING = 1000
sketch = sys.argv[1]

def patched(name, ids, part=None):
    entry = catalog.MODELS[name]
    parts = tuple(replace(one, ids=part) for one in entry.parts) if part else ()
    catalog.MODELS[name] = replace(entry, ids=ids, parts=parts)

def tried(name, **options):
    heard = io.StringIO()
    row = {}
    try:
        with contextlib.redirect_stderr(heard):
            pipe = load_pipeline(name, dtype="fp32", safety_checker=False, **options)
        row["kind"], row["scheduler"] = type(pipe).__name__, type(pipe.scheduler).__name__
        row["spacing"] = pipe.scheduler.config.get("timestep_spacing")
        row["weights"] = hashlib.sha256(pipe.unet.mid_block.attentions[0].proj_in.weight.detach().numpy().tobytes()).hexdigest()
        row["adapters"] = hasattr(pipe.unet, "peft_config")
        row["vae"] = type(pipe.vae).__name__
        row["vae_sum"] = sum(w.sum().item() for w in pipe.vae.decoder.parameters())
        few = dict(size=(64, 64), num_inference_steps=2, strength=1.0)
        row["size"] = translate(sketch, "a turtle", pipe=pipe, **few).image.size
        row["to_q"] = pipe.unet.down_blocks[1].attentions[0].transformer_blocks[0].attn1.to_q.weight.tolist()
    except InputError as error:
        row["error"] = str(error)
    row["heard"] = [line for line in heard.getvalue().splitlines() if line.startswith("Note") or "that are free" in line]
    return row

told = {}
patched("sd15", ("gone/sd", "gated/sd", "someone/tiny"))
told["first"] = tried("sd15")
told["again"] = tried("sd15")
patched("sd15", ("someone/tiny@" + "0123456789abcdef0123456789abcdef01234567",))
told["pinned"] = tried("sd15")
patched("sd15", ("someone/tiny@" + "f" * 40,))
told["commit gone"] = tried("sd15")
patched("sd15-scribble", ("someone/tiny",), ("someone/control",))
told["scribble"] = tried("sd15-scribble")
patched("sd15-lcm", ("someone/tiny",), ("someone/lora",))
told["lcm"] = tried("sd15-lcm")
patched("sd15-hyper", ("someone/tiny",), ("someone/lora-of-another",))
told["foreign lora"] = tried("sd15-hyper")
patched("sd15-lineart", ("someone/tiny",), ("gone/control",))
told["no control"] = tried("sd15-lineart")
patched("sd-turbo", ("someone/cut",))
catalog.MODELS["sd-turbo"] = replace(
    catalog.MODELS["sd-turbo"], small_vae=replace(catalog.MODELS["sd-turbo"].small_vae, ids=("someone/small",))
)
told["cut"] = tried("sd-turbo")
kinds = dict(zip(("vae", "controlnet", "lora"), (("someone/vae",), ("someone/xl-control",), ("someone/xl-lora",))))
for name in ("sdxl-scribble", "sdxl-lcm"):
    entry = catalog.MODELS[name]
    parts = tuple(replace(one, ids=kinds[one.role]) for one in entry.parts)
    catalog.MODELS[name] = replace(entry, ids=("someone/xl",), parts=parts)
    told[name] = tried(name)
usage = shutil.disk_usage
shutil.disk_usage = lambda place: usage(place)._replace(free=10)
patched("sd15", ("someone/second",))
told["full"] = tried("sd15")
shutil.disk_usage = usage
told["offline"] = tried("someone/second", offline=True)
told["offline, here"] = tried("someone/tiny", offline=True)
told["by its commit"] = tried("someone/tiny@0123456789abcdef0123456789abcdef01234567")
told["unknown"] = tried("nobody/nothing")
print(json.dumps(told))
input()  # the hub closes
told = {}
patched("sd15", ("someone/tiny",))
told["no hub, here"] = tried("sd15")
told["no hub, not here"] = tried("someone/second")
print(json.dumps(told))
"""


def another_vae(vae):
    """One of the same architecture with other weights, which works in fp16."""
    torch.manual_seed(9)
    config = {name: value for name, value in vae.config.items() if not name.startswith("_")}
    return type(vae)(**{**config, "force_upcast": False}).eval()


def make_lora(unet, folder: Path, file: str, rank: int = 4) -> dict[str, torch.Tensor]:
    """A LoRA of random weights for the queries and values of a U-Net, saved as diffusers saves one; returns what is in it."""
    from copy import deepcopy

    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    unet = deepcopy(unet)
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=["to_q", "to_v"]))
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in unet.named_parameters():
            if "lora" in name:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    layers = get_peft_model_state_dict(unet)
    saves = StableDiffusionXLPipeline if unet.config.addition_embed_type else StableDiffusionPipeline
    saves.save_lora_weights(folder, unet_lora_layers=layers, weight_name=file)
    return layers


@pytest.fixture(scope="module")
def told(tiny_pipe, tiny_led, tiny_xl, tiny_xl_led, tmp_path_factory):
    """What the program heard from a hub that works, refuses and breaks off; and what it was given."""
    from diffusers import AutoencoderTiny, UNet2DConditionModel

    folder = tmp_path_factory.mktemp("hub")
    for name in ("tiny", "cut", "second"):
        tiny_pipe.save_pretrained(folder / name)
    (folder / "tiny" / "v1-5-pruned.safetensors").write_bytes(b"x" * 5000)
    (folder / "tiny" / "unet" / "surprise.py").write_text("1 / 0\n", encoding="utf-8")
    (folder / "tiny" / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"x" * 5000)
    tiny_led.controlnet.save_pretrained(folder / "control", variant="fp16")
    (folder / "control" / "control_net_scribble.py").write_text("1 / 0\n", encoding="utf-8")
    AutoencoderTiny(encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4).save_pretrained(
        folder / "small"
    )
    lora = make_lora(tiny_pipe.unet, folder / "lora", MODELS["sd15-lcm"].parts[0].file)
    wide = UNet2DConditionModel.from_config({**tiny_pipe.unet.config, "block_out_channels": (16, 16, 32, 32)})
    make_lora(wide, folder / "lora-of-another", MODELS["sd15-hyper"].parts[0].file)
    tiny_xl.save_pretrained(folder / "xl", variant="fp16")
    for other in ("vae_1_0", "vae_decoder"):
        shutil.copytree(folder / "xl" / "vae", folder / "xl" / other)
    another_vae(tiny_xl.vae).save_pretrained(folder / "vae")
    (folder / "vae" / "sdxl_vae.safetensors").write_bytes(b"x" * 5000)
    tiny_xl_led.controlnet.save_pretrained(folder / "xl-control")
    make_lora(tiny_xl.unet, folder / "xl-lora", MODELS["sdxl-lcm"].parts[1].file)
    played = Hub({f"someone/{path.name}": path for path in folder.iterdir()}, {"gated/sd": "GatedRepo"})
    played.cut.add("someone/cut/vae/diffusion_pytorch_model.safetensors")
    surroundings = {**os.environ, "HF_ENDPOINT": played.url, "HF_HOME": str(folder / "cache"), "HF_HUB_OFFLINE": "0"}
    surroundings |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, str(ROOT / "data" / "sketches" / "turtle.png")]
    with subprocess.Popen(
        command, cwd=ROOT, env=surroundings, text=True, stdin=-1, stdout=-1, stderr=-1, encoding="utf-8"
    ) as program:
        line = program.stdout.readline()
        played.close()
        rest, errors = program.communicate("\n")
    assert program.returncode == 0, errors[-3000:]
    rows = {**json.loads(line), **json.loads(rest)}
    return rows, played.given, tiny_pipe.unet, lora


def test_a_model_that_is_gone_or_gated_falls_to_the_next_and_says_so(told):
    row = told[0]["first"]
    assert row["kind"] == "StableDiffusionImg2ImgPipeline" and row["size"] == [64, 64]
    [fetching, note] = row["heard"]
    assert "gone/sd: it is not on the Hugging Face hub" in note and note.endswith("So someone/tiny is used.")
    assert "gated/sd: its licence must be accepted first: do so on huggingface.co/gated/sd" in note
    assert fetching.startswith("Fetching someone/tiny: ") and "that are free" in fetching
    assert "Licence: CreativeML OpenRAIL-M, use it for anything" in fetching


def test_only_what_is_needed_is_fetched_and_once(told):
    rows, given, _, _ = told
    tiny = [file for file in given if file.startswith("someone/tiny/")]
    assert len(set(tiny)) == len(tiny) and "someone/tiny/unet/diffusion_pytorch_model.safetensors" in tiny
    assert not any(file.endswith((".py", ".bin")) or "pruned" in file for file in given)
    assert not any("that are free" in line for line in rows["again"]["heard"])
    assert not any(file.startswith("someone/second/") for file in given), "no room, or offline"


def test_a_commit_that_is_gone_gives_way_to_the_newest(told):
    assert told[0]["pinned"]["heard"] == [] and told[0]["pinned"]["weights"] == told[0]["first"]["weights"]
    [note] = told[0]["commit gone"]["heard"]
    assert note == "Note: someone/tiny is not here as of fffffff; its newest version is used."
    assert told[0]["commit gone"]["weights"] == told[0]["by its commit"]["weights"] == told[0]["first"]["weights"]


def test_a_controlnet_comes_from_a_folder_of_its_own(told):
    row = told[0]["scribble"]
    assert row["kind"] == "StableDiffusionControlNetImg2ImgPipeline" and row["size"] == [64, 64]
    assert any(line.startswith("Fetching someone/control: ") for line in row["heard"])
    assert "gone/control: it is not on the Hugging Face hub" in told[0]["no control"]["error"]
    assert told[0]["no control"]["error"].startswith("Stable Diffusion 1.5, led by clean lines could not be loaded (")


def test_a_lora_is_added_to_the_weights(told):
    rows, _, unet, lora = told
    row = rows["lcm"]
    assert row["scheduler"] == "LCMScheduler" and not row["adapters"]
    layer = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
    down, up = (lora[f"{layer}.lora_{which}.weight"] for which in "AB")
    wanted = unet.get_submodule(layer).weight + up @ down
    assert (torch.tensor(row["to_q"]) - wanted).abs().max() < 1e-6
    assert (torch.tensor(rows["first"]["to_q"]) - unet.get_submodule(layer).weight).abs().max() == 0
    assert row["weights"] == rows["first"]["weights"], "what the LoRA does not name stays"
    assert "the LoRA Hyper-SD15-8steps-CFG-lora.safetensors does not fit its U-Net" in rows["foreign lora"]["error"]


def test_a_small_vae_is_fetched_and_used_where_steps_are_few(told):
    rows, given, _, _ = told
    assert rows["cut"]["vae"] == "AutoencoderTiny" and rows["first"]["vae"] == "AutoencoderKL"
    files = {file for file in given if file.startswith("someone/small/")}
    assert files == {"someone/small/config.json", "someone/small/diffusion_pytorch_model.safetensors"}


def test_sdxl_comes_with_the_vae_of_another_and_without_its_own(told, tiny_xl):
    rows, given, _, _ = told
    assert rows["sdxl-scribble"]["kind"] == "StableDiffusionXLControlNetImg2ImgPipeline", rows["sdxl-scribble"]
    assert rows["sdxl-lcm"]["kind"] == "StableDiffusionXLImg2ImgPipeline", rows["sdxl-lcm"]
    for name in ("sdxl-scribble", "sdxl-lcm"):
        assert rows[name]["size"] == [64, 64]
        wanted = sum(w.sum().item() for w in another_vae(tiny_xl.vae).decoder.parameters())
        assert rows[name]["vae_sum"] == pytest.approx(wanted)
    fetched = {file for file in given if file.startswith(("someone/xl/", "someone/vae/"))}
    assert {"someone/xl/vae/config.json", "someone/vae/diffusion_pytorch_model.safetensors"} < fetched
    assert {f"someone/xl/text_encoder{n}/model.fp16.safetensors" for n in ("", "_2")} < fetched
    weights = {file for file in fetched if file.endswith(".safetensors")}
    assert not any(file.startswith("someone/xl/vae") for file in weights) and len(weights) == 3 + 1
    assert not any("vae_" in file for file in fetched)


def test_a_lora_is_added_to_sdxl(told, tiny_xl, tmp_path):
    row = told[0]["sdxl-lcm"]
    assert row["scheduler"] == "LCMScheduler" and not row["adapters"]
    lora = make_lora(tiny_xl.unet, tmp_path, "lora.safetensors")
    layer = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
    down, up = (lora[f"{layer}.lora_{which}.weight"] for which in "AB")
    assert (torch.tensor(row["to_q"]) - (tiny_xl.unet.get_submodule(layer).weight + up @ down)).abs().max() < 1e-6


def test_what_goes_wrong_on_the_way_is_one_sentence(told):
    rows = told[0]
    assert rows["cut"].get("size") == [64, 64], rows["cut"]
    assert "someone/second: its download of 1 MB has no room, as 0 MB are free in " in rows["full"]["error"]
    assert "it is not on this machine, and the hub is out of reach" in rows["offline"]["error"]
    assert "it is not on the Hugging Face hub" in rows["unknown"]["error"]
    assert "it is not on this machine, and the hub is out of reach" in rows["no hub, not here"]["error"]
    for row in rows.values():
        assert "\n" not in row.get("error", "")


def test_what_is_here_loads_without_a_hub(told):
    for case in ("offline, here", "no hub, here"):
        assert told[0][case].get("size") == [64, 64], told[0][case]


def test_a_lora_without_peft_is_one_sentence(monkeypatch):
    from s2i_teach import load_pipeline

    monkeypatch.setattr("diffusers.utils.USE_PEFT_BACKEND", False)
    with pytest.raises(InputError, match="sd15-lcm needs a newer package peft: pip install -U peft"):
        load_pipeline("sd15-lcm")


def test_every_choice_is_what_the_hub_s_folders_hold():
    sd15 = ["model_index.json", "unet/config.json", "vae/config.json", "text_encoder/model.safetensors"]
    sd15 += ["unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.non_ema.safetensors"]
    sd15 += ["unet/diffusion_pytorch_model.fp16.safetensors", "text_encoder/model.fp16.safetensors", "v1-5.safetensors"]
    half, whole = (choice.of(sd15) for choice in hub.choices("pipeline", "fp16"))
    assert half == [f for f in sd15 if f.endswith("json") or "fp16" in f]
    assert whole == [f for f in sd15 if "fp16" not in f and "ema" not in f and f != "v1-5.safetensors"]
    flux = ["model_index.json", "transformer/diffusion_pytorch_model.safetensors", "transformer/config.json"]
    flux += ["text_encoder/model-00001-of-00002.safetensors", "text_encoder/model.safetensors.index.json"]
    flux += ["tokenizer/chat_template.jinja", "tokenizer/merges.txt", "flux-2-klein-4b.safetensors", "README.md"]
    [one] = hub.choices("pipeline")
    assert one.of(flux) == flux[:-2] and one.fits(flux) and not one.fits(flux[2:])
    xl = ["model_index.json", "unet/diffusion_pytorch_model.fp16.safetensors", "text_encoder_2/model.fp16.safetensors"]
    xl += ["vae/config.json", "vae/diffusion_pytorch_model.fp16.safetensors", "sd_xl_base_1.0.safetensors"]
    xl += ["vae_1_0/config.json", "vae_1_0/diffusion_pytorch_model.fp16.safetensors", "vae_decoder/config.json"]
    assert hub.choices("pipeline", "fp16")[0].of(xl) == xl[:5]
    assert hub.choices("pipeline", "fp16", without=["vae"])[0].of(xl) == xl[:4]
    vae = ["config.json", "diffusion_pytorch_model.safetensors", "sdxl_vae.safetensors", "diffusion_pytorch_model.bin"]
    assert [choice.of(vae) for choice in hub.choices("vae", "fp16")] == [vae[:1], vae[:2]]
    [one] = hub.choices("lora", "fp16", "a.safetensors")
    assert one.of(["a.safetensors", "b.safetensors", "config.json"]) == ["a.safetensors"]
    assert one.fits(["a.safetensors"]) and not one.fits(["b.safetensors"])
    [one] = hub.choices("small_vae", "fp16", "d.safetensors")
    assert one.of(["d.safetensors", "taesd_encoder.safetensors", "d.bin", "config.json"]) == [
        "d.safetensors",
        "config.json",
    ]


def test_the_catalog_is_whole():
    for name, entry in MODELS.items():
        assert entry.name == name and entry.title and entry.licence in LICENCES and entry.steps >= 1
        assert bool(entry.embedded) != bool(entry.ids) and bool(entry.download) == bool(entry.ids)
        for part in entry.parts:
            assert part.role in ("controlnet", "lora", "vae", "changes") and bool(part.embedded) != bool(part.ids)
            assert part.licence in LICENCES and bool(part.download) == bool(part.ids)
            assert (part.file is not None) == (part.role in ("lora", "changes"))
        if small := entry.small_vae:
            assert small.role == "small_vae" and small.ids and small.file and small.licence in LICENCES
        assert bool(entry.ids) == (entry.shapes in SHAPES)


def test_the_list_says_what_each_model_is():
    text = listing()
    for name, entry in catalog.offered().items():
        assert f"{name}: {entry.title}" in text and entry.cannot in text
    assert "mini-scribble: The miniature, led by the sketch, the default" in text
    one = listing(["sd15-scribble"])
    assert "a small VAE can stand in for its own (10 MB)" in one and "from madebyollin/taesd@" in one
    assert "a download of 3.5 GB" in one and "lllyasviel/control_v11p_sd15_scribble" in one and "mini" not in one
    with pytest.raises(InputError, match="no model 'sd16': it has mini"):
        listing(["sd16"])


def test_what_is_here_is_said(monkeypatch):
    there = {"a/a": {"model_index.json"}, "b/b": {"config.json"}}
    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache",
        lambda name, file, revision=None: "path" if file in there.get(name, ()) else None,
    )
    entry = replace(MODELS["sd15-scribble"], ids=("x/x", "a/a"))
    led = replace(entry, parts=(replace(entry.parts[0], ids=("b/b",)),))
    assert hub.is_here(led) and not hub.is_here(entry) and hub.is_here(MODELS["mini-scribble"])


# Every entry whose weights are on the hub, small and with random weights


@pytest.fixture(scope="module")
def folders(tiny_pipe, tiny_led, tiny_xl, tiny_xl_led, tmp_path_factory):
    """Stable Diffusion 1's, 2's and XL's architectures, ControlNets, LoRAs and a VAE: role or entry → folder."""
    from diffusers import EulerDiscreteScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from s2i_teach.training.unet import assemble

    folder = tmp_path_factory.mktemp("entries")
    tiny_pipe.save_pretrained(folder / "sd15")
    tiny_led.controlnet.save_pretrained(folder / "controlnet")
    for name in ("sd15-lcm", "sd15-hyper"):
        make_lora(tiny_pipe.unet, folder / "lora", MODELS[name].parts[0].file)
    tiny_xl.save_pretrained(folder / "xl" / "sdxl", variant="fp16")
    tiny_xl_led.controlnet.save_pretrained(folder / "xl" / "controlnet")
    another_vae(tiny_xl.vae).save_pretrained(folder / "xl" / "vae")
    make_lora(tiny_xl.unet, folder / "xl" / "lora", MODELS["sdxl-lcm"].parts[1].file)
    # SD-Turbo is built as Stable Diffusion 2 is: linear projections, other heads at each level, another text tower.
    torch.manual_seed(2)
    more = {"use_linear_projection": True, "attention_head_dim": [1, 2, 4, 4]}
    unet = UNet2DConditionModel.from_config({**tiny_pipe.unet.config, **more}).eval()
    text = CLIPTextModel(CLIPTextConfig.from_dict({**tiny_pipe.text_encoder.config.to_dict(), "hidden_act": "gelu"}))
    turbo = assemble(tiny_pipe.vae, text.eval(), tiny_pipe.tokenizer, unet)
    schedule = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1}
    turbo.scheduler = EulerDiscreteScheduler(**schedule, timestep_spacing="trailing")
    turbo.save_pretrained(folder / "sd-turbo")
    return folder


@pytest.mark.parametrize("name", [name for name, entry in MODELS.items() if entry.ids])
def test_an_entry_runs_with_its_defaults_and_a_grid_equals_single_runs(
    name, folders, sketch, tmp_path, monkeypatch, request
):
    from s2i_teach import Settings, load_pipeline, sweep, translate
    from s2i_teach.translation.result import read_record

    entry = MODELS[name]
    kind = KINDS[entry.kind]
    folder = folders / "xl" if kind.is_xl else folders
    if kind.is_flow:
        request.getfixturevalue("tiny_flux").save_pretrained(folder / "flux")
    base = folder / ("flux" if kind.is_flow else "sdxl" if kind.is_xl else "sd-turbo" if name == "sd-turbo" else "sd15")
    parts = tuple(replace(part, ids=(str(folder / part.role),)) for part in entry.parts)
    monkeypatch.setitem(MODELS, name, replace(entry, ids=(str(base),), parts=parts, small_vae=None))
    pipe = load_pipeline(name, device="cpu", dtype="fp32", attention_slicing=False)
    resolved = Settings("a turtle").resolved(pipe)
    assert (resolved.size, resolved.num_inference_steps, resolved.strength) == (entry.size, entry.steps, entry.strength)
    assert resolved.guidance_scale == entry.guidance_scale
    assert kind_of(pipe) is kind and (resolved.control_scale is None) == (kind.hint is None)
    plan = resolved.plan(pipe, measure=False)
    assert plan.evaluations >= 1 and plan.batch == (2 if entry.guidance_scale > 1 else 1)
    if entry.spacing or name == "sd-turbo":
        assert pipe.scheduler.config.timestep_spacing == "trailing"
        whole = replace(resolved, strength=1.0).plan(pipe, measure=False)
        assert whole.start_timestep == 999, "few steps begin at the noise that the network was taught to begin at"
    small = dict(pipe=pipe, size=(64, 64), seed=3, **({} if kind.is_flow else {"negative_prompt": "a stone"}))
    one = translate(sketch, "a turtle", **small)
    assert one.plan.evaluations == plan.evaluations and one.model == name
    other = translate(sketch, "a turtle", **{**small, "seed": 4})
    grid = sweep(sketch, "a turtle", **{**small, "seed": [3, 4]})
    for cell, single in zip(grid.results, (one, other), strict=True):
        apart = torch.tensor(list(cell.image.tobytes())).float() - torch.tensor(list(single.image.tobytes())).float()
        assert apart.abs().max() <= 1
    if kind.hint:
        from s2i_teach.lines import line_hint

        pen = {"sd15-scribble": 2.0, "sd15-lineart": 1.0, "sdxl-scribble": 2.0}[name]
        for result in (one, *grid.results):
            assert result.hint.tobytes() == line_hint(result.sketch, pen=pen).tobytes()
    again = read_record(one.save(tmp_path / "one.png"))
    assert again.settings == one.settings and again.model == name

"""Fitting a model to a machine's memory: where it begins, what is done when memory runs short, and that pictures stay."""

import diffusers
import pytest
import torch
from packaging.version import Version

from s2i_teach import InputError, Settings, load_pipeline, sweep, translate
from s2i_teach.models import fit
from s2i_teach.models.devices import device_of
from tests.conftest import led, make_tiny_pipe, make_tiny_xl

FEW = dict(num_inference_steps=3, strength=1.0, size=(64, 64), guidance_scale=3.0)


@pytest.fixture()
def pipe(tmp_path):
    """A tiny pipeline of its own: what is done to it stays with it."""
    return make_tiny_pipe(tmp_path)


def apart(one, two) -> float:
    """The largest difference of two pictures, 0 to 255."""
    pixels = [torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).int() for picture in (one, two)]
    return (pixels[0] - pixels[1]).abs().max().item()


def short_until_sliced(module, monkeypatch, pipe) -> list[int]:
    """Memory is not enough for one evaluation until pictures are decoded one by one; returns how often it ran short."""
    forward, failed = module.forward, []

    def short(*rest, **more):
        if not pipe.vae.use_slicing:
            failed.append(1)
            raise RuntimeError("CUDA out of memory. Tried to allocate 9 GiB")
        return forward(*rest, **more)

    monkeypatch.setattr(module, "forward", short)
    return failed


@pytest.mark.parametrize(
    "free, device, rung",
    [
        (15.0, "cuda", 0),  # a T4
        (4.0, "cuda", 0),
        (3.6, "cuda", 1),
        (3.0, "cuda", 2),
        (2.3, "cuda", 2),
        (2.0, "cuda", 3),
        (3.0, "cpu", 1),
        (1.0, "mps", 1),
        (float("inf"), "mps", 0),
    ],
)
def test_where_a_model_of_2_6_gb_begins(free, device, rung):
    assert fit.rung_for(2.6, free, torch.device(device)) == rung


def test_short_memory_is_met_one_rung_further_with_the_same_picture(pipe, sketch, monkeypatch):
    wanted = translate(sketch, "a turtle", pipe=pipe, seed=5, **FEW)
    failed = short_until_sliced(pipe.unet, monkeypatch, pipe)
    steps = []
    made = translate(
        sketch, "a turtle", pipe=pipe, seed=5, on_step=lambda done, total: steps.append((done, total)), **FEW
    )
    assert failed == [1] and pipe.s2i_rung == 1 and apart(made.image, wanted.image) <= 1
    assert made.notes == (*wanted.notes, "Memory ran short, so pictures are decoded one after the other.")
    assert steps[-1] == (3, 3)
    again = translate(sketch, "a turtle", pipe=pipe, seed=5, **FEW)
    assert failed == [1] and again.notes == wanted.notes, "it stays on its rung, and says so once"


def test_a_grid_goes_down_as_well(pipe, sketch, monkeypatch):
    wanted = sweep(sketch, "a turtle", pipe=pipe, seed=[0, 1], quiet=True, **FEW)
    short_until_sliced(pipe.unet, monkeypatch, pipe)
    made = sweep(sketch, "a turtle", pipe=pipe, seed=[0, 1], quiet=True, **FEW)
    for one, other in zip(made.results, wanted.results, strict=True):
        assert apart(one.image, other.image) <= 1
        assert "Memory ran short, so pictures are decoded one after the other." in one.notes


def test_at_the_foot_of_the_ladder_one_sentence_says_what_to_do(pipe, sketch, monkeypatch):
    def fail(*rest, **more):
        raise RuntimeError("CUDA out of memory. Tried to allocate 9 GiB")

    monkeypatch.setattr(pipe.unet, "forward", fail)
    with pytest.raises(InputError, match="memory of cpu is not enough for 64 × 64 pixels"):
        translate(sketch, "a turtle", pipe=pipe, **FEW)
    assert pipe.s2i_rung == 1, "a CPU has no GPU to keep parts away from"
    with pytest.raises(InputError, match="memory of cpu is not enough for 64 × 64 pixels"):
        sweep(sketch, "a turtle", pipe=pipe, seed=[0, 1], quiet=True, **FEW)


@pytest.mark.skipif(
    Version(diffusers.__version__) < Version("0.35") and not hasattr(torch.cpu, "empty_cache"),
    reason="diffusers 0.34 empties a cache that no CPU has",
)
@pytest.mark.parametrize("kind", ["plain", "led", "xl", "xl led"])
def test_offloaded_parts_make_the_same_pictures(pipe, kind, sketch):
    """accelerate's hooks as on a GPU; the CPU stands in for it, and is what they bring parts to."""
    pipe = make_tiny_xl(pipe, force_upcast=True) if "xl" in kind else pipe
    pipe = led(pipe) if "led" in kind else pipe
    wanted = translate(sketch, "a turtle", pipe=pipe, seed=1, **FEW)
    plan = Settings("a turtle", **FEW).plan(pipe, measure=False)
    cpu = torch.device("cpu")
    fit.stand_on(pipe, 2, cpu)
    assert pipe.s2i_rung == 2 and device_of(pipe).type == "cpu" and hasattr(pipe.unet, "_hf_hook")
    made = translate(sketch, "a turtle", pipe=pipe, seed=1, **FEW)
    grid = sweep(sketch, "a turtle", pipe=pipe, seed=[1, 2], quiet=True, **FEW)
    assert apart(made.image, wanted.image) <= 1 and apart(grid.results[0].image, wanted.image) <= 1
    assert Settings("a turtle", **FEW).plan(pipe, measure=False).timesteps == plan.timesteps
    assert Settings("a turtle", **FEW).plan(pipe).seconds > 0


def test_on_a_gpu_the_ladder_has_three_rungs(pipe, monkeypatch):
    """What is asked of diffusers; that layers go by turns only a GPU can show, as accelerate cannot do it to a CPU."""
    asked = []
    for name in ("enable_attention_slicing", "enable_model_cpu_offload", "enable_sequential_cpu_offload"):
        monkeypatch.setattr(pipe, name, lambda name=name, **more: asked.append((name, more)))
    monkeypatch.setattr(pipe.vae, "enable_slicing", lambda: asked.append(("vae.enable_slicing", {})))
    monkeypatch.setattr(fit, "device_of", lambda pipe: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: asked.append("emptied"))
    words = [fit.step_down(pipe) for _ in range(4)]
    assert words == [rung.words for rung in fit.LADDER] + [None] and pipe.s2i_rung == 3
    where = {"device": torch.device("cuda")}
    assert [one for one in asked if one != "emptied"] == [
        ("vae.enable_slicing", {}),
        ("enable_model_cpu_offload", where),
        ("enable_sequential_cpu_offload", where),
    ]
    asked.clear()
    moved = []
    monkeypatch.setattr(pipe, "to", moved.append)
    for rung in range(4):
        fit.stand_on(pipe, rung, torch.device("cuda"))
    assert len(moved) == 2, "on the lower rungs the weights stay where they are"
    assert [name for name, _ in asked].count("enable_model_cpu_offload") == 1

    def full(device):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(pipe, "to", full)
    asked.clear()
    fit.stand_on(pipe, 0, torch.device("cuda"))
    assert pipe.s2i_rung == 2 and asked[-1] == ("enable_model_cpu_offload", where)
    with pytest.raises(RuntimeError, match="out of memory"):
        fit.stand_on(pipe, 0, torch.device("cpu"))
    asked.clear()
    fit.LADDER[0].apply(pipe, torch.device("mps"))
    assert [name for name, _ in asked] == ["vae.enable_slicing", "enable_attention_slicing"], "Apple's has no fused one"


def test_a_model_is_loaded_onto_its_rung_and_says_so(pipe, tmp_path, monkeypatch, capsys):
    pipe.save_pretrained(tmp_path / "model")
    monkeypatch.setattr("s2i_teach.models.load.free_memory", lambda device: 0.0)
    capsys.readouterr()
    made = load_pipeline(tmp_path / "model", device="cpu", dtype="fp32")
    assert made.s2i_rung == 1 and made.vae.use_slicing
    assert "Sliced" not in type(next(iter(made.unet.attn_processors.values()))).__name__, (
        "it would replace the fused one"
    )
    assert capsys.readouterr().err == (
        "On the CPU: fp32, as asked; pictures are decoded one after the other, as it needs 0.0 GB and 0.0 GB were free.\n"
    )
    made = load_pipeline(tmp_path / "model", device="cpu", dtype="fp32", attention_slicing=False)
    assert made.s2i_rung == 0
    assert capsys.readouterr().err == "On the CPU: fp32, as asked; all of it in memory at once.\n"
    made = load_pipeline(tmp_path / "model", device="cpu", dtype="fp32", offload="none")
    assert made.s2i_rung == 0 and str(made.s2i_fit) == "On the CPU: fp32, as asked; all of it in memory at once."
    assert load_pipeline("mini", device="cpu").s2i_fit.rung == 1 and capsys.readouterr().err.count("\n") == 1

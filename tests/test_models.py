"""Loading by name, folder and id: fallbacks, precision, and what is refused."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import s2i_teach.models.catalog as catalog
from s2i_teach import InputError, Settings, load_pipeline, translate
from s2i_teach.models.devices import check_dtype, pick_dtype


@pytest.fixture(scope="module")
def saved(tiny_pipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    tiny_pipe.save_pretrained(folder)
    return folder


def test_a_folder_loads_and_gives_the_same_picture(tiny_pipe, saved, sketch):
    pipe = load_pipeline(saved, dtype="fp32")
    options = dict(num_inference_steps=4, seed=1)
    one, two = (translate(sketch, "a turtle", pipe=p, **options) for p in (pipe, tiny_pipe))
    assert one.image.tobytes() == two.image.tobytes()


def test_several_threads_can_load_at_once(saved):
    """The studio loads in a thread of its own, while the next cell may load as well."""
    with ThreadPoolExecutor(3) as pool:
        pipes = list(pool.map(lambda _: load_pipeline(saved, device="cpu", dtype="fp32"), range(9)))
    assert all(parameter.device.type == "cpu" for pipe in pipes for parameter in pipe.unet.parameters())


def test_sd15_falls_back_to_its_next_id(saved, monkeypatch):
    """The thesis's model on its architecture with random weights: the first id is gone, the second is taken."""
    entry = catalog.MODELS["sd15"]
    changed = {**entry.__dict__, "ids": ("gone/stable-diffusion", str(saved))}
    monkeypatch.setitem(catalog.MODELS, "sd15", catalog.Model(**changed))
    pipe = load_pipeline("sd15", dtype="fp32", attention_slicing=True)
    assert type(pipe).__name__ == "StableDiffusionImg2ImgPipeline" and pipe.s2i_model == "sd15"


def test_the_thesis_call_in_one_line(saved, sketch, monkeypatch):
    entry = catalog.MODELS["sd15"]
    monkeypatch.setitem(catalog.MODELS, "sd15", catalog.Model(**{**entry.__dict__, "ids": (str(saved),)}))
    result = translate(
        sketch,
        "a castle",
        pipe=load_pipeline("sd15", attention_slicing=True),
        size=(768, 512),
        num_inference_steps=100,
        strength=0.03,
    )
    assert result.image.size == (768, 512) and result.plan.evaluations == 3


def test_slicing_changes_nothing(saved, sketch):
    pictures = [
        translate(
            sketch, "a turtle", pipe=load_pipeline(saved, dtype="fp32", attention_slicing=s), num_inference_steps=3
        )
        for s in (True, False)
    ]
    a, b = (torch.tensor(list(p.image.tobytes())) for p in pictures)
    assert (a - b).abs().max() <= 1


def test_what_cannot_be_loaded_is_said(tmp_path, saved):
    (tmp_path / "empty").mkdir()
    cases = [
        (tmp_path / "empty", "no diffusers pipeline"),
        ("no such model", "is not known"),
        (" ", "is not known"),
        ("../etc/passwd", "is not known"),
        ("someone/nothing", "could not be loaded"),
    ]
    for model, message in cases:
        with pytest.raises(InputError, match=message) as caught:
            load_pipeline(model)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="attention_slicing"):
        load_pipeline(saved, attention_slicing="sometimes")
    with pytest.raises(InputError, match="scheduler"):
        load_pipeline(saved, scheduler="magic")
    with pytest.raises(InputError, match="device"):
        load_pipeline(saved, device="cuda:7")
    with pytest.raises(InputError, match="dtype"):
        load_pipeline(saved, dtype="fp8")
    with pytest.raises(InputError, match="30 to 50 times slower"):
        load_pipeline(saved, dtype="fp16", device="cpu")


def test_pickles_are_refused(tmp_path, saved):
    folder = tmp_path / "pickled"
    shutil.copytree(saved, folder)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    from safetensors.torch import load_file

    torch.save(load_file(weights), folder / "unet" / "diffusion_pytorch_model.bin")
    weights.unlink()
    with pytest.raises(InputError, match="could not be loaded"):
        load_pipeline(folder)


def test_code_that_comes_with_a_model_is_not_run(tmp_path, saved):
    folder = tmp_path / "code"
    shutil.copytree(saved, folder)
    (folder / "unet" / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Unet: pass\n")
    index = json.loads((folder / "model_index.json").read_text())
    index["unet"] = ["evil", "Unet"]
    (folder / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="could not be loaded"):
        load_pipeline(folder)
    assert not (tmp_path / "ran").exists()


def test_pickles_in_a_list_of_shards_are_refused(tmp_path, saved):
    folder = tmp_path / "listed"
    shutil.copytree(saved, folder)
    listing = folder / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    listing.write_text(json.dumps({"metadata": {}, "weight_map": {"conv_in.weight": "weights.bin"}}))
    with pytest.raises(InputError, match="pickles are never read"):
        load_pipeline(folder)


def test_a_pipeline_class_of_its_own_is_refused(tmp_path, saved):
    folder = tmp_path / "own"
    shutil.copytree(saved, folder)
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass X: pass\n")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": ["evil", "X"]}))
    with pytest.raises(InputError, match="brings code along"):
        load_pipeline(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("model_index.json", "{}", "never run"),
        ("model_index.json", "[]", "damaged"),
        ("model_index.json", "{", "cannot be read"),
        ("unet/config.json", '{"in_channels": 9}', "inpainting"),
        ("text_encoder/model.safetensors", "", "could not be loaded"),
        ("tokenizer/vocab.json", "{", "could not be loaded"),
    ],
)
def test_damaged_and_foreign_models(tmp_path, saved, file, content, message):
    folder = tmp_path / "bad"
    shutil.copytree(saved, folder)
    (folder / file).write_text(content)
    if file.startswith("tokenizer"):
        (folder / "tokenizer" / "tokenizer.json").unlink(missing_ok=True)
    with pytest.raises(InputError, match=message) as caught:
        load_pipeline(folder)
    assert "\n" not in str(caught.value)


def test_a_text_encoder_with_gaps_is_refused(tmp_path, saved):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "gaps"
    shutil.copytree(saved, folder)
    weights = folder / "text_encoder" / "model.safetensors"
    state = load_file(weights)
    state.pop(next(name for name in state if "mlp" in name))
    save_file(state, weights, metadata={"format": "pt"})
    with pytest.raises(InputError, match="lacks 1 of its weights"):
        load_pipeline(folder)


def test_a_hub_model_is_read_from_the_cache_without_its_code(tmp_path, saved, monkeypatch):
    """The hub's cache in its own layout: an id loads offline, in the variant that is there, and runs no code."""
    cache = tmp_path / "hub"
    snapshot = cache / "models--someone--tiny" / "snapshots" / ("0" * 40)
    shutil.copytree(saved, snapshot)
    refs = cache / "models--someone--tiny" / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(cache))
    pipe = load_pipeline("someone/tiny", dtype="fp32", offline=True)
    assert pipe.s2i_model == "someone/tiny"
    (snapshot / "None.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(InputError, match="brings code along"):
        load_pipeline("someone/tiny", dtype="fp32", offline=True)
    assert not (tmp_path / "ran").exists()


def test_damaged_weights(tmp_path, saved):
    folder = tmp_path / "damaged"
    shutil.copytree(saved, folder)
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match="could not be loaded"):
        load_pipeline(folder)


def test_text_encoder_names_of_either_kind(tmp_path, tiny_pipe):
    """transformers 5.6 dropped the prefix of the names: with and without it the weights must arrive."""
    from safetensors.torch import save_file

    from s2i_teach.models.shims import load_text_encoder

    encoder = tiny_pipe.text_encoder
    ids = torch.tensor([[1, 2, 3]])
    expected = encoder(ids)[0]
    state = {name.removeprefix("text_model."): value.contiguous() for name, value in encoder.state_dict().items()}
    state = {name: value for name, value in state.items() if "position_ids" not in name}
    for prefix in ("", "text_model."):
        folder = tmp_path / f"with{prefix}"
        encoder.config.save_pretrained(folder)
        save_file({prefix + name: value for name, value in state.items()}, folder / "model.safetensors")
        assert (load_text_encoder(folder)(ids)[0] - expected).abs().max() < 1e-6
    state.popitem()
    save_file(state, folder / "model.safetensors")
    with pytest.raises(RuntimeError, match="lacks 1 weights"):
        load_text_encoder(folder)


def test_precision_by_device(monkeypatch):
    cuda = torch.device("cuda")
    for capability, expected in (((7, 5), torch.float16), ((8, 0), torch.bfloat16), ((6, 0), torch.float16)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None, c=capability: c)
        assert pick_dtype(cuda) == expected
    monkeypatch.setattr("s2i_teach.models.devices.cpu_is_fast_in_bf16", lambda: False)
    assert pick_dtype(torch.device("cpu")) == torch.float32
    monkeypatch.setattr("s2i_teach.models.devices.cpu_is_fast_in_bf16", lambda: True)
    assert pick_dtype(torch.device("cpu")) == torch.bfloat16
    assert check_dtype(torch.float16, cuda) == torch.float16
    assert pick_dtype(torch.device("mps")) == torch.float32


def test_recorded_attention_changes_nothing_and_is_put_back(mini):
    from s2i_teach.models.attention_maps import recorded_attention, word_maps

    prompt, t = "a red apple, noto style", torch.tensor(500)
    z = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    words = torch.cat(mini.encode_prompt(prompt, "cpu", 1, True)[::-1])
    before = dict(mini.unet.attn_processors)
    with torch.no_grad():
        plain = mini.unet(z, t, words).sample
        with recorded_attention(mini.unet) as seen:
            recorded = mini.unet(z, t, words).sample
    assert (plain - recorded).abs().max() <= 1e-4
    assert mini.unet.attn_processors == before
    assert len(seen) == 7 and {one.weights.shape[2] for one in seen} == {64, 16, 4}
    for one in seen:
        assert one.weights.shape[:2] == (2, 4)
        assert (one.weights.sum(-1) - 1).abs().max() <= 1e-4
    maps = word_maps(seen, mini.tokenizer, prompt)
    assert list(maps) == ["a", "red", "apple", ",", "noto", "style"]
    finest = torch.stack([one.weights[-1].mean(0)[:, 3] for one in seen if one.weights.shape[2] == 64]).mean(0)
    assert torch.allclose(maps["apple"], finest.view(8, 8), atol=1e-6)
    assert list(word_maps(seen, mini.tokenizer, "a cat, a cat")) == ["a (1)", "cat (2)", ",", "a (4)", "cat (5)"]


def test_mini_fast_is_the_same_weights_in_few_steps(mini):
    fast = load_pipeline("mini-fast", dtype="fp32")
    ours, theirs = fast.unet.state_dict(), mini.unet.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    plan = Settings("a turtle, noto style").plan(fast, measure=False)
    assert (plan.scheduler, plan.evaluations, plan.batch) == ("lcm", 3, 2)
    result = translate("data/sketches/mushroom.png", "a mushroom, noto style", pipe=fast, prepare="filled")
    assert (result.plan.timesteps, result.model) == (plan.timesteps, "mini-fast")
    assert result.settings.guidance_scale == 2.5 and result.settings.scheduler == "lcm"
    assert load_pipeline("mini-fast", scheduler="ddim").scheduler.__class__.__name__ == "DDIMScheduler"
    assert load_pipeline("mini").scheduler.__class__.__name__ == "DDIMScheduler"


def test_attention_maps_of_nothing(mini):
    from s2i_teach.models.attention_maps import Seen, word_maps

    with pytest.raises(InputError, match="No attention was recorded"):
        word_maps([], mini.tokenizer, "a cat")
    with pytest.raises(InputError, match="no word"):
        word_maps([Seen("x", torch.ones(1, 1, 4, 77))], mini.tokenizer, "")


@pytest.mark.parametrize(("dtype", "layout"), [("bf16", torch.channels_last), ("fp32", torch.contiguous_format)])
def test_in_bf16_on_a_cpu_the_weights_of_a_small_model_lie_as_convolutions_take_them(dtype, layout, tmp_path):
    pipe = load_pipeline("mini-scribble", device="cpu", dtype=dtype)
    for part in (pipe.unet, pipe.controlnet, pipe.vae):
        weights = [layer.weight for layer in part.modules() if isinstance(layer, torch.nn.Conv2d)]
        assert all(weight.is_contiguous(memory_format=layout) for weight in weights)
    pipe.unet.save_pretrained(tmp_path)  # safetensors takes no other than contiguous weights
    again = type(pipe.unet).from_pretrained(tmp_path)
    assert torch.equal(again.conv_in.weight, pipe.unet.conv_in.weight.float())

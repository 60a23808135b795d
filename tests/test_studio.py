"""The studio without a browser: its worker, its answers, and that they are translate's own."""

import copy
import threading
import time

import pytest
import torch

import s2i_teach as s2i
from s2i_teach.errors import InputError
from s2i_teach.images import to_tensor
from s2i_teach.models import preview as previews
from s2i_teach.models.catalog import MODELS
from s2i_teach.models.devices import fitting_threads
from s2i_teach.training.vocabulary import STYLES
from s2i_teach.translation.plan import start_index, strength_for
from s2i_teach.translation.run import run
from s2i_teach.translation.settings import Settings
from s2i_teach.widgets import studio as module
from s2i_teach.widgets.drawing import Drawing
from s2i_teach.widgets.worker import Worker

ASKED = {
    "version": 1,
    "final": True,
    "model": "tiny",
    "prompt": "a turtle",
    "style": "openmoji",
    "negative_prompt": "",
    "evaluations": 3,
    "steps": 4,
    "guidance": 2.5,
    "seed": 7,
    "filled": True,
    "scheduler": "",
}


@pytest.fixture()
def studio(tiny_pipe, monkeypatch, tmp_path):
    """A studio on the tiny pipeline, its messages to the page in ``studio.sent``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tiny_pipe, "s2i_model", "tiny", raising=False)
    studio = s2i.Studio("turtle", model=tiny_pipe)
    sent = []
    monkeypatch.setattr(studio, "send", lambda content, buffers=None: sent.append(content))
    settle(studio)
    sent.clear()
    studio.__dict__["sent"] = sent
    yield studio
    settle(studio)


def settle(studio) -> None:
    deadline = time.monotonic() + 60
    while studio._worker.busy:
        assert time.monotonic() < deadline
        studio._poll()


def ask(studio, **changes) -> None:
    studio.request = {**ASKED, "version": studio.request.get("version", 0) + 1, **changes}
    settle(studio)


def said(studio, key: str) -> list:
    return [message for message in studio.sent if key in message]


def slow_down(pipe, monkeypatch, seconds: float) -> None:
    """Let each evaluation of the U-Net take so much longer."""
    forward = pipe.unet.forward

    def slow(*args, **kwargs):
        time.sleep(seconds)
        return forward(*args, **kwargs)

    monkeypatch.setattr(pipe.unet, "forward", slow)


# The worker


def test_only_the_newest_request_is_served():
    gate, served = threading.Event(), []

    def work(job, say):
        served.append(job)
        gate.wait(10)
        say(job)

    worker = Worker(work)
    worker.ask("first")
    while not served:
        time.sleep(0.005)
    for job in ("second", "third", "fourth"):
        worker.ask(job)
    assert worker.newer == "fourth" and worker.busy
    gate.set()
    heard = []
    while worker.busy:
        heard += worker.collect(0.2)
    assert served == ["first", "fourth"] == heard
    assert worker.collect(0.1) == [] and not worker.busy


def test_a_stop_reaches_the_one_at_work_and_drops_the_one_that_waits():
    started, ended = threading.Event(), []

    def work(job, say):
        started.set()
        while job == "long" and not worker.stopped:
            time.sleep(0.005)
        ended.append((job, worker.stopped))

    worker = Worker(work)
    worker.stop()
    assert not worker.stopped, "there is nothing to stop"
    worker.ask("long")
    started.wait(10)
    worker.ask("never")
    worker.stop()
    while worker.busy:
        worker.collect(0.05)
    worker.ask("next")
    while worker.busy:
        worker.collect(0.05)
    assert ended == [("long", True), ("next", False)]


# Honest numbers


def test_every_position_of_the_strength_slider_runs_what_it_says():
    for steps in (1, 2, 3, 7, 20, 49, 50, 999):
        for evaluations in {1, 2, steps // 3, steps - 1, steps} & set(range(1, steps + 1)):
            strength = strength_for(steps, evaluations)
            assert 0 < strength <= 1 and start_index(steps, strength)[0] == steps - evaluations


def test_the_studio_s_picture_is_translate_s(studio, tiny_pipe):
    ask(studio)
    plans = said(studio, "plans")[-1]["plans"]
    answer = said(studio, "result")[-1]["result"]
    assert len(plans) == 4 and plans[2]["evaluations"] == 3 == answer["plan"]["evaluations"]
    for key in ("strength", "start", "left"):
        assert plans[2][key] == answer["plan"][key]
    again = s2i.translate(
        studio.page.image(*studio.result.settings.size),
        "a turtle, openmoji style",
        pipe=tiny_pipe,
        strength=0.75,
        guidance_scale=2.5,
        num_inference_steps=4,
        seed=7,
        prepare="filled",
    )
    assert again.image.tobytes() == studio.result.image.tobytes()


def test_the_code_makes_the_picture_again(studio, tiny_pipe, monkeypatch):
    ask(studio, negative_prompt="a 'quoted\" word", scheduler="euler", filled=False, style="")
    studio._asked(studio, {"do": "code", "number": 1}, [])
    code = said(studio, "code")[-1]["code"]
    monkeypatch.setattr("s2i_teach.translation.run.shared_pipeline", lambda name: {"tiny": tiny_pipe}[name])
    monkeypatch.setattr(
        s2i, "load_pipeline", lambda name, dtype: {("tiny", "fp32"): tiny_pipe}[name, dtype], raising=False
    )
    space = {}
    exec(code.rsplit("\n", 1)[0], space)
    assert space["result"].image.tobytes() == studio.result.image.tobytes()


def test_a_size_is_chosen_and_comes_back_with_the_picture(studio, tiny_pipe):
    ask(studio, size=[64, 32])
    assert studio.result.image.size == studio.result.settings.size == (64, 32)
    assert said(studio, "plans")[-1]["key"][-1] == [64, 32]
    ask(studio, size=None)
    assert studio.result.image.size != (64, 32)
    studio._asked(studio, {"do": "back", "number": 1, "version": 3}, [])
    assert said(studio, "controls")[-1]["controls"]["size"] == [64, 32]
    ask(studio, size=[63, 32])
    assert "its sides must be multiples of" in said(studio, "failure")[-1]["failure"]
    assert studio.result.image.size == (64, 32)


def test_the_page_knows_the_sizes_of_each_model():
    sizes = {entry["name"]: entry["sizes"] for entry in s2i.Studio("turtle", keep=False).options["models"]}
    assert sizes["mini-scribble-fast"] == sizes["mini"] == [[128, 128], [256, 256], [384, 384]]
    assert sizes["pix2pix"] == [[128, 128]] and sizes["sd15"] == [[512, 512]]


def test_the_miniature_s_styles_are_those_it_was_trained_on():
    assert MODELS["mini"].styles == MODELS["mini-fast"].styles == STYLES


# The history


def test_only_final_requests_make_history_and_the_same_one_is_not_run_twice(studio):
    ask(studio, final=False)
    assert studio.history == [] and said(studio, "result")
    ask(studio)
    ask(studio)
    assert len(studio.history) == 1, "the same settings and drawing: the same picture"
    ask(studio, seed=8)
    assert [r.settings.seed for r in studio.history] == [7, 8] and studio.result.settings.seed == 8
    studio._asked(studio, {"do": "back", "number": 1, "version": 9}, [])
    back = said(studio, "controls")[-1]
    assert back["controls"]["seed"] == 7 and studio.result.settings.seed == 7
    assert Drawing.from_dict(back["drawing"]) == studio.page


def test_favourites_outlive_the_others(studio, monkeypatch):
    monkeypatch.setattr(module, "KEPT", 3)
    for seed in range(3):
        ask(studio, seed=seed)
    studio._asked(studio, {"do": "keep", "number": 1, "kept": True}, [])
    for seed in range(3, 6):
        ask(studio, seed=seed)
    assert [r.settings.seed for r in studio.history] == [0, 3, 4, 5]
    assert [r.settings.seed for r in studio.favourites] == [0]
    studio._asked(studio, {"do": "save", "number": 2}, [])
    assert "no longer in the history" in said(studio, "failure")[-1]["failure"]


def test_what_is_saved(studio, tmp_path):
    studio._asked(studio, {"do": "sheet"}, [])
    assert "no picture yet" in said(studio, "failure")[-1]["failure"]
    ask(studio, prompt="../a turtle / <b>")
    for _ in range(2):
        studio._asked(studio, {"do": "save", "number": 1}, [])
    studio._asked(studio, {"do": "sheet"}, [])
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [
        "a-turtle-b-1.png",
        "a-turtle-b-2.png",
        "s2i-sheet-1.png",
    ]
    record = s2i.read_record(tmp_path / "a-turtle-b-2.png")
    assert record.settings == studio.result.settings
    assert "<img" in studio._still_html() and "<b>" not in studio._still_html()


# In German


def test_a_german_studio_says_in_german_what_is_wrong(german, studio):
    ask(studio, seed=-1)
    ask(studio, guidance="x")
    ask(studio, model="no such model")
    studio._asked(studio, {"do": "sheet"}, [])
    studio._asked(studio, {"do": "sketch", "name": "x"}, [])
    failures = [message["failure"] for message in said(studio, "failure")]
    assert failures[:2] == [
        "Der Seed ist -1: eine ganze Zahl von 0 bis 2^63 - 1 verwenden.",
        "guidance_scale muss eine Zahl sein, nicht 'x'.",
    ]
    assert failures[2].startswith("Das Modell 'no such model' gibt es nicht: ") and failures[2].endswith(" verwenden.")
    assert failures[3:4] == ["Es gibt noch kein Bild: zuerst etwas zeichnen."] and len(failures) == 5
    assert failures[4].startswith("Keine Skizze heißt x: ")


def test_a_german_studio_s_run_fails_in_german_and_its_notes_are_german(german, studio, tiny_pipe, monkeypatch):
    ask(studio, prompt="a turtle " * 60)
    (note,) = said(studio, "result")[-1]["result"]["notes"]
    assert note.startswith("Das Modell liest ") and "vom Prompt las es nicht: " in note
    assert studio.result.notes[0].startswith("The model reads "), "a result's record stays as it is"
    ask(studio, prompt="a turtle", seed=8)
    first = studio._entries[0].number
    studio._asked(studio, {"do": "picture", "number": first}, [])
    assert said(studio, "compare")[-1]["compare"]["differs"] == ["Prompt", "Seed"]

    def fails(*args, **kwargs):
        raise RuntimeError("CUDA out of memory. Tried to allocate")

    monkeypatch.setattr("s2i_teach.models.fit.LADDER", ())  # the pipeline of all tests stays as it is
    monkeypatch.setattr(tiny_pipe.unet, "forward", fails)
    ask(studio, seed=9)
    assert said(studio, "failure")[-1]["failure"].startswith("Der Speicher von cpu reicht nicht für ")


def test_a_german_studio_names_its_models_in_german(german, studio):
    titles = {model["name"]: model["title"] for model in studio.options["models"]}
    assert titles["mini"] == "Die Miniatur" and titles["sd15"] == "Stable Diffusion 1.5" and titles["tiny"] == "tiny"


# What goes wrong


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": -1}, "The seed is -1"),
        ({"seed": None}, "seed must be a whole number"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"guidance": 1000}, "guidance_scale is 1000"),
        ({"steps": 0}, "num_inference_steps is 0"),
        ({"evaluations": 9}, "9 of 4 steps cannot run"),
        ({"evaluations": None}, "None of 4 steps cannot run"),
        ({"prompt": None}, "must be text"),
        ({"scheduler": "magic"}, "'magic' is not known"),
        ({"model": "no such model"}, "is not known"),
        ({"model": "sd15"}, "could not be loaded"),
    ],
)
def test_a_bad_request_gets_a_sentence_and_nothing_is_lost(studio, change, words):
    ask(studio)
    before = studio.result
    ask(studio, **change)
    failures = said(studio, "failure")
    assert len(failures) == 1 and words in failures[0]["failure"]
    assert failures[0]["version"] == 2 and studio.result is before and studio.error is None
    ask(studio, seed=9)
    assert studio.result.settings.seed == 9, "it goes on"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate"), "memory of cpu is not enough"),
        (KeyError("odd"), "Something unexpected happened (KeyError"),
    ],
)
def test_an_error_while_running_gets_a_sentence(studio, tiny_pipe, monkeypatch, error, words):
    def fails(*args, **kwargs):
        raise error

    monkeypatch.setattr("s2i_teach.models.fit.LADDER", ())  # the pipeline of all tests stays as it is
    monkeypatch.setattr(tiny_pipe.unet, "forward", fails)
    scheduler = tiny_pipe.scheduler
    ask(studio)
    assert words in said(studio, "failure")[-1]["failure"]
    assert (studio.error is error) == isinstance(error, KeyError)
    assert tiny_pipe.scheduler is scheduler
    monkeypatch.undo()


def test_latents_that_are_not_finite_say_what_to_do(studio, tiny_pipe, monkeypatch):
    forward = tiny_pipe.unet.forward
    monkeypatch.setattr(tiny_pipe.unet, "forward", lambda *a, **k: tuple(x * float("nan") for x in forward(*a, **k)))
    ask(studio)
    assert 'load the model with dtype="fp32"' in said(studio, "failure")[-1]["failure"]


def test_an_empty_page_is_not_translated(studio):
    studio.page = Drawing()
    ask(studio)
    assert said(studio, "empty") and not studio.history


def test_a_run_can_be_stopped_and_a_newer_one_takes_over(studio, tiny_pipe, monkeypatch):
    slow_down(tiny_pipe, monkeypatch, 0.05)
    studio.request = {**ASKED, "version": 1, "steps": 50, "evaluations": 50}
    while not said(studio, "progress"):
        studio._poll()
    studio._asked(studio, {"do": "stop"}, [])
    settle(studio)
    assert said(studio, "stopped") and not studio.history
    assert said(studio, "progress")[-1]["progress"][0] < 25

    studio.request = {**ASKED, "version": 2, "steps": 50, "evaluations": 50}
    while said(studio, "progress")[-1]["version"] != 2:
        studio._poll()
    studio.request = {**ASKED, "version": 3, "seed": 3}
    settle(studio)
    assert [r.settings.seed for r in studio.history] == [3], "a long run is given up for a newer request"
    assert len(said(studio, "stopped")) == 1


def test_a_page_that_opens_later_hears_everything(studio):
    ask(studio)
    ask(studio, seed=8)
    studio.sent.clear()
    studio._asked(studio, {"do": "hello"}, [])
    assert [entry["number"] for entry in said(studio, "entries")[0]["entries"]] == [1, 2]
    assert said(studio, "result")[0]["result"]["number"] == 2
    ask(studio, seed=9)
    assert said(studio, "plans"), "a new page does not know the plans yet"


def test_bad_arguments():
    with pytest.raises(InputError):
        s2i.Studio("no such file.png")
    with pytest.raises(InputError):
        s2i.Studio(prompt=5)


def test_back_ends_the_run_under_way_and_nothing_overwrites_what_was_gone_back_to(studio, tiny_pipe, monkeypatch):
    ask(studio)
    slow_down(tiny_pipe, monkeypatch, 0.03)
    studio.request = {**ASKED, "version": 2, "steps": 40, "evaluations": 40}
    while not said(studio, "progress"):
        studio._poll()
    studio._asked(studio, {"do": "back", "number": 1, "version": 3}, [])
    settle(studio)
    assert len(studio.history) == 1 and studio.result is studio.history[0]
    ask(studio, version=4)
    assert len(studio.history) == 1, "the settings gone back to are those of that picture"


def test_an_interrupted_question_is_answered_all_the_same(studio, monkeypatch):
    def interrupted(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(studio._worker, "collect", interrupted)
    with pytest.raises(KeyboardInterrupt):
        studio._poll()
    assert said(studio, "polled")
    monkeypatch.undo()


def test_a_sketch_of_any_kind_begins_a_studio(tiny_pipe, tmp_path):
    turtle = next(sketch for sketch in s2i.sketches() if sketch.name == "turtle")
    assert s2i.Studio(turtle, model=tiny_pipe).options["prompt"] == "a turtle"
    import numpy as np

    assert not s2i.Studio(np.zeros((40, 40), dtype=np.uint8) + 200, model=tiny_pipe).page.is_empty
    pad = s2i.SketchPad()
    pad.page = pad.page.then({"tool": "brush", "size": 9, "points": [[1, 2, 0.5], [30, 40, 0.5]]})
    assert s2i.Studio(pad, model=tiny_pipe).page == pad.page


def test_a_pipeline_of_ones_own_is_named_in_the_code(tiny_pipe, tmp_path, monkeypatch):
    monkeypatch.delattr(tiny_pipe, "s2i_model", raising=False)
    result = s2i.translate(s2i.sketches()[0], "x", pipe=tiny_pipe, num_inference_steps=2)
    assert "pipe=pipe,  # the pipeline that you gave" in module.python_call(result, "sketch.png")


def test_loading_and_running_in_two_threads_at_once():
    """A cell may load and run while the studio does: neither spoils the other."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(3) as pool:
        pipes = list(pool.map(lambda _: s2i.load_pipeline("mini-fast", dtype="fp32"), range(3)))
        turtle = s2i.sketches()[0]
        made = [
            pool.submit(s2i.translate, turtle, "a turtle", pipe=pipes[0], scheduler=name, num_inference_steps=3)
            for name in ("euler", "ddim", "lcm", "euler")
        ]
        pictures = [future.result().image.tobytes() for future in made]
    alone = s2i.translate(turtle, "a turtle", pipe=pipes[1], scheduler="euler", num_inference_steps=3).image.tobytes()
    assert pictures[0] == pictures[3] == alone and len(set(pictures)) == 3


def test_what_the_model_does_not_read_of_a_prompt_is_said(tiny_pipe, sketch):
    words = " ".join(["turtle"] * 100) + ", line style"
    result = s2i.translate(sketch, words, pipe=tiny_pipe, num_inference_steps=2, negative_prompt="short")
    assert len(result.notes) == 1 and "line style" in result.notes[0] and "did not read" in result.notes[0]
    assert s2i.translate(sketch, "a turtle", pipe=tiny_pipe, num_inference_steps=2).notes == ()


# Previews and threads


@pytest.mark.parametrize("scheduler", ["ddim", "ddpm", "dpm++", "euler", "lcm", "pndm", "unipc"])
def test_looking_at_the_guesses_changes_nothing_and_the_last_guess_is_the_picture(tiny_pipe, sketch, scheduler):
    settings = Settings("a turtle", num_inference_steps=6, strength=1.0, scheduler=scheduler, seed=1)
    guesses = []
    watched = run(sketch, settings, tiny_pipe, on_x0=guesses.append)
    assert run(sketch, settings, tiny_pipe).image.tobytes() == watched.image.tobytes()
    assert len(guesses) == watched.plan.evaluations
    picture = to_tensor(watched.image)

    def distance(guess):
        decoded = tiny_pipe.vae.decode(guess / tiny_pipe.vae.config.scaling_factor).sample[0]
        return (decoded.clamp(-1, 1) - picture).abs().max().item()

    assert distance(guesses[-1]) < 0.5 * distance(guesses[0])
    if scheduler == "lcm":  # ends on its guess; the others take a last small step from it
        assert distance(guesses[-1]) < 0.01


def test_a_guess_undoes_known_noise(tiny_pipe):
    """With a network that returns the true noise, or v, x̂_0 is the clean latent whatever the scheduler's convention."""
    from s2i_teach.models.schedulers import make_scheduler
    from s2i_teach.translation.run import _watch_x0

    x0, eps = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    for name in ("ddim", "euler", "lcm", "dpm++"):
        for kind in ("epsilon", "v_prediction"):
            scheduler = make_scheduler(name, tiny_pipe.scheduler, 10)
            scheduler.register_to_config(prediction_type=kind)
            scheduler.set_timesteps(10)
            if hasattr(scheduler, "set_begin_index"):
                scheduler.set_begin_index(0)
            t = scheduler.timesteps[:1]
            x_t = scheduler.add_noise(x0, eps, t)
            one, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
            s, n = scheduler.add_noise(one, zero, t), scheduler.add_noise(zero, one, t)
            length = (s**2 + n**2).sqrt()
            model_output = eps if kind == "epsilon" else s / length * eps - n / length * x0
            seen = []
            _watch_x0(scheduler, seen.append)
            scheduler.step(model_output, scheduler.timesteps[0], x_t)
            assert (seen[0] - x0).abs().max() < 2e-3, (name, kind)


def test_a_preview_is_the_decoder_s_picture_or_a_linear_map_fitted_to_it(tiny_pipe, monkeypatch):
    latents = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(previews, "_decoders", type(previews._decoders)())
    assert previews.preview(tiny_pipe, latents).size == (128, 128)
    monkeypatch.setattr(previews, "_decoders", type(previews._decoders)())
    monkeypatch.setattr(previews, "FAST", 0.0)
    assert previews.preview(tiny_pipe, latents).size == (16, 16)
    assert previews.preview(tiny_pipe, latents * float("nan")).size == (16, 16)


def test_the_miniature_s_previews_come_from_its_small_decoder(mini, capfd, monkeypatch):
    from s2i_teach import sketches
    from s2i_teach.images import open_sketch, to_tensor
    from s2i_teach.theory.measure import psnr

    monkeypatch.setattr(previews, "_decoders", type(previews._decoders)())
    monkeypatch.setattr(mini.vae, "decode", lambda *_, **__: pytest.fail("the VAE decoded"))
    picture = to_tensor(open_sketch(sketches()[2], (128, 128)))
    with torch.no_grad():
        latents = mini.vae.encode(picture[None]).latent_dist.mode() * mini.vae.config.scaling_factor
    shown = to_tensor(previews.preview(mini, latents))
    assert psnr(shown, picture).min() > 25  # the VAE itself has 29 dB
    assert capfd.readouterr().err == ""


def test_the_linear_map_finds_a_decoder_that_is_linear(tiny_pipe):
    class Linear:
        """A VAE whose latents are a known mixture of the colours."""

        config = tiny_pipe.vae.config
        dtype = torch.float32
        mix = torch.tensor([[1.0, 2.0, 0.5], [0.0, 1.0, -1.0], [1.5, 0.0, 1.0], [0.3, 0.3, 0.3]])

        def encode(self, x):
            small = torch.nn.functional.adaptive_avg_pool2d(x, 32)
            z = torch.einsum("dc,bchw->bdhw", self.mix, small) + 0.25
            return type("E", (), {"latent_dist": type("D", (), {"mode": staticmethod(lambda: z)})})

    pipe = copy.copy(tiny_pipe)
    pipe.vae = Linear()
    solution = previews.linear_map(pipe)
    colour = torch.tensor([0.3, -0.5, 0.8])
    z = torch.cat([Linear.mix @ colour + 0.25, torch.ones(1)])
    assert (z @ solution - colour).abs().max() < 1e-3


def test_a_small_model_runs_in_one_thread_whatever_torch_was_told(tiny_pipe):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with fitting_threads(tiny_pipe):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        large = type(
            "P", (), {"device": torch.device("cpu"), "unet": type("U", (), {"num_parameters": lambda s: 10**9})()}
        )
        with fitting_threads(large()):
            assert torch.get_num_threads() == 2
        with pytest.raises(KeyError), fitting_threads(tiny_pipe):
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_led_model_s_knobs_run_and_its_hint_is_shown(tiny_led, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tiny_led, "s2i_model", "tiny", raising=False)
    studio, sent = s2i.Studio("turtle", model=tiny_led), []
    (known,) = [entry for entry in studio.options["models"] if entry["name"] == "tiny"]
    assert known["led"] and known["strength"] == 1.0 and known["control_scale"] == 1.0
    assert not any(entry["led"] for entry in studio.options["models"] if entry["name"] in ("mini", "mini-fast", "sd15"))
    monkeypatch.setattr(studio, "send", lambda content, buffers=None: sent.append(content))
    studio.__dict__["sent"] = sent
    settle(studio)
    knobs = {"control_scale": 0.5, "control_start": 0.0, "control_end": 0.75}
    ask(studio, **knobs)
    settings = studio.result.settings
    assert {name: getattr(settings, name) for name in knobs} == knobs
    alone = run(studio.page.image(*settings.size), settings, tiny_led)
    assert studio.result.image.tobytes() == alone.image.tobytes()
    shown = said(studio, "result")[-1]["result"]
    assert shown["hint"].startswith("data:image/") and studio.result.hint.size == studio.result.image.size
    code = module.python_call(studio.result, "sketch.png")
    assert "control_scale=0.5," in code and "control_end=0.75," in code
    assert "lines lead × 0.5 from 0 % to 75 %" in module.describe_result(studio.result)
    before = studio.result
    ask(studio, control_scale=3)
    assert "control_scale is 3" in said(studio, "failure")[-1]["failure"] and studio.result is before


def test_a_plain_model_shows_no_hint_and_takes_no_knobs(studio):
    ask(studio)
    assert said(studio, "result")[-1]["result"]["hint"] is None
    ask(studio, control_scale=1.0)
    assert "control_scale is given, which tiny does not take" in said(studio, "failure")[-1]["failure"]

"""People's drawings and the icons that are bent until they lie on them."""

import gzip
import json
import random
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from s2i_teach import InputError
from s2i_teach.cli import main
from s2i_teach.lines import outline_mask
from s2i_teach.paths import data_dir
from s2i_teach.training.data import READABLE, benchmark_number, quickdraw_drawing
from s2i_teach.training.loop import make_accelerator
from s2i_teach.training.naming import Naming, NoisyClassifier, load_classifier, train_classifier
from s2i_teach.training.pages import PageMaker, contours_and_insides
from s2i_teach.training.people import (
    ALIKE,
    MOST,
    SMALL,
    Fitter,
    People,
    drawings_to_learn,
    fit_drawings,
    grids,
    laid,
    load_fits,
    overlaps,
)
from s2i_teach.training.pictures import load_pairs
from s2i_teach.training.sketches import BY_PEOPLE
from s2i_teach.training.unet import FrozenParts, Led, train_unet

CATEGORIES = ("apple", "cat")
MINI = data_dir() / "mini"


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A package like Quick, Draw!'s, of rings that lie a little elsewhere in each drawing; those from 50 on are black."""
    folder = tmp_path_factory.mktemp("packages")
    drawings = folder / "quickdraw" / "src" / "drawings"
    drawings.mkdir(parents=True)
    (folder / "quickdraw" / "package.json").write_text("{}")
    for category in (*CATEGORIES, "nothing of ours"):
        with gzip.open(drawings / f"{category}.ndjson.gz", "wt", encoding="utf-8") as file:
            for number in range(100):
                page = Image.new("L", (28, 28), 255 if number >= READABLE else 0)
                ImageDraw.Draw(page).ellipse([3, 4 + number % 5, 24, 23], outline=255, width=2)
                file.write(json.dumps((np.asarray(page) / 255).ravel().tolist()) + "\n")
    return folder


@pytest.fixture(scope="module")
def pairs():
    return load_pairs("train", keep=lambda row: row["thing"] in {"apple", "cat", "cat face"} and row["style"] != "line")


@pytest.fixture(scope="module")
def fits(packages, pairs, tmp_path_factory):
    file = tmp_path_factory.mktemp("fits") / "people.safetensors"
    said = fit_drawings(packages, file, pairs, limit=4)
    assert f"{len(load_fits(file)[2])} pairs of 8 drawings" in said
    return file


def encode(x):
    return F.avg_pool2d(torch.cat([x, x[:, :1]], 1), 8)


def test_no_training_reads_what_the_benchmark_shows(packages):
    for category in CATEGORIES:
        read = drawings_to_learn(packages, category)
        left_out = {benchmark_number(category)} | {BY_PEOPLE[category][0]}
        assert set(read) == set(range(READABLE)) - left_out
        assert all(drawing.size == (128, 128) for drawing in read.values())
        assert min(np.asarray(drawing).mean() for drawing in read.values()) > 180, "none from 50 on, which are black"
    shown = quickdraw_drawing(packages, "cat", 7).resize((128, 128))
    near = np.abs(np.asarray(shown, dtype=float) - np.asarray(read[7], dtype=float)).mean()
    assert near < 3, "under its own number"


@pytest.mark.parametrize(("angle", "mirror"), [(0.0, 1.0), (10.0, -1.0)])
def test_an_icon_is_found_again_where_it_was_put(pairs, angle, mirror):
    """An icon turned, mirrored, made narrower and moved lies on itself."""
    insides = contours_and_insides(pairs)[1]
    row = next(i for i, r in enumerate(pairs.rows) if r["thing"] == "cat" and r["style"] == "noto")
    turn = torch.tensor(angle).deg2rad()
    theta = torch.tensor(
        [[mirror * turn.cos() / 0.6, mirror * turn.sin() / 0.6, 0.2], [-turn.sin() / 0.7, turn.cos() / 0.7, -0.1]]
    )[None]
    drawing = F.grid_sample(insides[row : row + 1].float(), grids(theta, None, SMALL), align_corners=False)
    fitter = Fitter(insides)
    best = fitter.best_starts([row], drawing[0])
    assert [found[1] for found in best] == [row]
    start = F.grid_sample(fitter.masks[row][None], grids(best[0][2][None], None, SMALL), align_corners=False)
    made, bend, iou = fitter.bent([row], best[0][2][None], drawing)
    assert iou.item() > 0.95 and iou.item() >= overlaps(start, drawing).item()
    assert bend.abs().max() <= MOST and made.shape == (1, 2, 3)


def test_what_would_have_to_be_stretched_too_much_is_left_out(pairs):
    fitter = Fitter(contours_and_insides(pairs)[1])
    ribbon = torch.zeros(1, SMALL, SMALL)
    ribbon[:, 30:34] = 1
    apples = [i for i, row in enumerate(pairs.rows) if row["thing"] == "apple"]
    assert fitter.best_starts(apples, ribbon) == []


def test_the_file_says_which_icon_lies_where(fits, packages, pairs):
    theta, bend, found = load_fits(fits)
    assert len(theta) == len(bend) == len(found) >= 8
    named = {row["file_name"]: i for i, row in enumerate(pairs.rows)}
    for i, one in enumerate(found):
        assert one["category"] in CATEGORIES and one["iou"] >= ALIKE
        row = named[one["icon"]]
        assert pairs.rows[row]["thing"] in (one["category"], one["category"] + " face")
        inside = contours_and_insides(pairs.select(lambda r, f=one["icon"]: r["file_name"] == f))[1].float()
        lies = F.grid_sample(inside, grids(theta[i : i + 1], bend[i : i + 1], 128), align_corners=False)
        drawing = drawings_to_learn(packages, one["category"])[one["number"]]
        mask = torch.from_numpy(outline_mask(drawing)).float()[None, None]
        assert abs(overlaps((lies > 0.5).float(), mask).item() - one["iou"]) < 0.05
        picture = laid(pairs.batch(torch.tensor([row])), theta[i : i + 1], bend[i : i + 1])
        assert picture.shape == (1, 3, 128, 128) and picture.min() >= -1 and picture.max() <= 1.001


def test_the_stock_holds_drawings_with_their_pictures(fits, packages, pairs):
    stock, again = (People(fits, packages, PageMaker(pairs), encode, seed=3) for _ in range(2))
    assert torch.equal(stock.latents, again.latents) and len(stock.pages) == len(load_fits(fits)[2])
    rng = random.Random(0)
    for _ in range(20):
        latents, lines, inside, page = stock.draw(rng)
        assert latents.shape == (4, 16, 16) and lines.shape == inside.shape == (1, 128, 128)
        assert set(lines.unique().tolist()) == {0, 1} and 0.003 < lines.mean() < 0.2 < inside.mean() + 0.15
        near = F.max_pool2d(inside, 5, 1, 2)
        assert (lines * near).sum() > 0.95 * lines.sum(), "lines bound what is inside"
        drawn, shown = F.avg_pool2d(inside, 8) > 0.5, latents[:3].amin(0, keepdim=True) < 0.9
        assert (drawn & shown).sum() > 0.5 * (drawn | shown).sum(), "the icon lies where the drawing is"
        assert page.style == pairs.rows[page.rows[0]]["style"]


def test_processes_share_the_drawings(fits, packages, pairs):
    numbers = [one["number"] for one in load_fits(fits)[2]]
    for k in range(2):
        stock = People(fits, packages, PageMaker(pairs), encode, (k, 2))
        assert len(stock.pages) == sum(number % 2 == k for number in numbers)
    assert len(People(fits, packages, PageMaker(pairs), encode, number=3).pages) == 3


def test_files_that_are_none(fits, packages, pairs, tmp_path):
    text, bare = tmp_path / "text.safetensors", tmp_path / "bare.safetensors"
    text.write_text("no tensors")
    save_file({"theta": torch.zeros(1, 2, 3)}, str(bare))
    short = tmp_path / "short.safetensors"
    theta, bend, found = load_fits(fits)
    save_file({"theta": theta[:1].clone(), "bend": bend}, str(short), metadata={"pairs": json.dumps(found)})
    for file, words in (
        (text, "is no file of"),
        (bare, "is no file of"),
        (short, "is damaged"),
        (tmp_path / "nowhere", "train people first"),
        (tmp_path, "is no file of"),
    ):
        with pytest.raises(InputError, match=words):
            load_fits(file)
    others = load_pairs("train", keep=lambda row: row["thing"] == "house")
    with pytest.raises(InputError, match="no icon of these pairs"):
        People(fits, packages, PageMaker(others), encode)
    with pytest.raises(InputError, match="No drawing of the package fits"):
        fit_drawings(packages, tmp_path / "none.safetensors", others)


def test_the_command(packages, pairs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("s2i_teach.training.people.load_pairs", lambda *args, **named: pairs)
    given = ["--packages", str(packages), "--out", str(tmp_path)]
    assert main(["train", "people", "--limit", "1", *given]) == 0
    assert "pairs of 2 drawings" in capsys.readouterr().out and (tmp_path / "people" / "people.safetensors").is_file()
    assert main(["train", "people", "--limit", "0", *given]) == 2
    assert "above 0" in capsys.readouterr().err


@pytest.mark.seconds(60)
def test_a_training_sees_them_with_their_pictures(fits, packages, pairs, tmp_path):
    """On square pages hints are people's drawings in the share that was asked for, all of them or none."""
    shape = dict(block_out_channels=(16, 16, 32, 32), norm_num_groups=4)
    asked = []

    class Counting(People):
        def draw(self, rng):
            asked.append(1)
            return super().draw(rng)

    common = dict(batch_size=6, hinted=0.5, pool_batches=1, samples=False, pairs=pairs, device="cpu", config=shape)
    given = {"people": partial(Counting, fits, packages), "by_people": 1.0}
    trained = {
        name: train_unet(tmp_path / name, MINI, MINI / "vae", steps=3, **common, **more).state_dict()
        for name, more in {"none": given | {"by_people": 0.0}, "all": given}.items()
    }
    wide = 3 - len(asked) / 3  # three samples of a batch have a hint; one batch in six or so is of wide pages
    assert wide == int(wide) < 3
    apart = max(float((trained["all"][key] - value).abs().max()) for key, value in trained["none"].items())
    assert apart > 0


@pytest.mark.seconds(60)
def test_led_samples_may_be_the_noisier_ones_and_the_layers_of_the_hint_may_stay(pairs, tmp_path, monkeypatch):
    """Only timesteps of led samples move; of the ControlNet all but the layers that read the hint learns."""
    seen = []

    class Recording(Led):
        def forward(self, x_t, t, text, hints=None):
            seen.append((t[: len(hints)], t[len(hints) :]))
            return super().forward(x_t, t, text, hints)

    monkeypatch.setattr("s2i_teach.training.unet.Led", Recording)
    shape = dict(block_out_channels=(16, 16, 32, 32), norm_num_groups=4)
    common = dict(batch_size=16, hinted=0.5, pool_batches=1, samples=False, pairs=pairs, device="cpu", optimizer="muon")
    before = train_unet(tmp_path / "a", MINI, MINI / "vae", steps=3, config=shape, **common).controlnet.state_dict()
    assert any((led < 500).any() for led, _ in seen)
    seen.clear()
    begun = dict(start_from=tmp_path / "a" / "unet", control_from=tmp_path / "a" / "controlnet")
    after = train_unet(tmp_path / "b", MINI, MINI / "vae", steps=3, noisy=1.0, freeze_hints=True, **begun, **common)
    assert all((led >= 500).all() for led, _ in seen) and any((rest < 500).any() for _, rest in seen)
    same = {name for name, value in after.controlnet.state_dict().items() if torch.equal(value, before[name])}
    hint = {name for name in before if name.startswith("controlnet_cond_embedding.")}
    assert hint and hint <= same and len(same - hint) < 0.1 * len(before)


@pytest.mark.seconds(60)
def test_the_classifier_learns_the_bent_icons_and_looks_at_runs_that_drawings_lead(fits, packages, pairs, tmp_path):
    """Its things are the icons' own; of the runs that are led half have a person's drawing for a hint."""
    taken = []

    class Counting(People):
        def draw(self, rng):
            drawn = super().draw(rng)
            taken.append(self.maker.thing(drawn[3]))
            return drawn

    people = partial(Counting, fits, packages)
    common = dict(batch_size=8, widths=(32, 32, 48), pool_batches=1, pairs=pairs, device="cpu")
    file = train_classifier(tmp_path, MINI, MINI / "vae", steps=5, people=people, **common)
    assert 5 < len(taken) < 30, "four in ten of forty samples"
    assert set(taken) <= set(load_classifier(file).things) == {row["thing"] for row in pairs.rows}
    taken.clear()
    frozen = FrozenParts(MINI, MINI / "vae", make_accelerator("cpu"))
    stock = people(PageMaker(pairs), frozen.encode)
    naming = Naming(load_classifier(file), frozen, pairs, led=0.5, pool_batches=1, people=stock)
    naming.pool.advance(0)
    generator = torch.Generator().manual_seed(2)
    for _ in range(60):
        before = len(taken)
        naming._begin(generator)
        run = naming.runs[-1]
        if len(taken) > before:
            assert naming.classifier.things[run.thing] == taken[-1] and run.hint.shape == (3, 128, 128)
    assert 5 < len(taken) < 30 and sum(run.hint is not None for run in naming.runs) > len(taken) + 3
    with pytest.raises(InputError, match="does not know what people drew"):
        Naming(NoisyClassifier(["cat face"], (32, 32, 48)), frozen, pairs, people=stock)


def test_the_command_line_looks_at_the_file_first(tmp_path, capsys):
    common = ["train", "control", "--steps", "1", "--text", str(MINI), "--vae", str(MINI / "vae")]
    start = ["--start-from", str(MINI / "unet"), "--out", str(tmp_path)]
    assert main([*common, *start, "--people", str(tmp_path / "none.safetensors")]) == 2
    assert "train people first" in capsys.readouterr().err


def test_a_package_that_cannot_be_fetched_is_one_sentence(fits, tmp_path, monkeypatch, capsys):
    def no_npm(*args):
        raise RuntimeError("npm was not found: install Node.js.")

    monkeypatch.setattr("s2i_teach.training.data.fetch_packages", no_npm)
    common = ["train", "control", "--steps", "1", "--text", str(MINI), "--vae", str(MINI / "vae")]
    start = ["--start-from", str(MINI / "unet"), "--out", str(tmp_path), "--people", str(fits)]
    for words in (["train", "people", "--out", str(tmp_path)], [*common, *start]):
        assert main(words) == 2
        assert capsys.readouterr().err.strip().endswith("npm was not found: install Node.js.")

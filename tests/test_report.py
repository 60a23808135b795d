"""The report: its cells, its front, what it concludes from scores that are known, and the page it writes."""

import re
from dataclasses import fields, replace
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

import s2i_teach as s2i
from s2i_teach.errors import InputError
from s2i_teach.evaluate import figures, paired, report, reporting, strings
from s2i_teach.evaluate.agreement import agreement
from s2i_teach.evaluate.bootstrap import Interval, interval
from s2i_teach.evaluate.cells import PAIRED_SCORES, SCORES, Cell, Row, as_results, cells, judged, pareto_front
from s2i_teach.evaluate.conclusions import conclusions
from s2i_teach.evaluate.paired import COPY
from s2i_teach.images import fit_to
from s2i_teach.languages import LANGUAGES, literals
from s2i_teach.paths import data_dir
from s2i_teach.translation.result import Result
from s2i_teach.translation.settings import Settings

ROOM = Path(reporting.__file__).parent
NAMES = ("turtle", "sailboat", "mushroom")


def made(strength=0.5, guidance=5.0, seed=0, name="turtle", prompt=None, picture=None, **more) -> Result:
    """A result whose picture is given, or the sketch itself with noise that grows with strength."""
    found = next(s for s in s2i.sketches() if s.name == name)
    sketch = fit_to(found.open(), (128, 128))
    settings = Settings(prompt or found.prompt, "", strength, guidance, 10, seed, (128, 128), scheduler="ddim", **more)
    if picture is None:
        rng = np.random.default_rng([int(strength * 100), seed])
        noise = rng.normal(0, 90 * strength, (128, 128, 3))
        picture = Image.fromarray((np.asarray(sketch) + noise).clip(0, 255).astype(np.uint8))
    return Result(picture, sketch, settings, None, "mini", 0.1, 0.01, "fp32")


@pytest.fixture(scope="module")
def grid() -> list[Result]:
    return [
        made(strength, guidance, seed, name)
        for name in NAMES
        for seed in (0, 1)
        for strength in (0.2, 0.6, 1.0)
        for guidance in (1.0, 5.0)
    ]


@pytest.fixture(scope="module")
def found(grid):
    return report(grid)


def test_cells_gather_seeds_and_sketches(found):
    assert [tuple(cell.settings.items()) for cell in found.cells] == [
        (("strength", s), ("guidance_scale", g)) for s in (0.2, 0.6, 1.0) for g in (1.0, 5.0)
    ]
    assert all(cell.n == 6 and cell.f1.n == 3 for cell in found.cells), "intervals count sketches, not seeds"
    for cell in found.cells:
        scores = [row.scores["f1"] for row in cell.rows]
        assert cell.f1.value == pytest.approx(np.mean(scores)) and cell.micro_kid.low <= cell.micro_kid.high


def test_the_table_has_a_row_a_result(found, grid):
    table = found.table
    assert len(table) == len(grid)
    assert list(table[0])[:6] == ["number", "sketch", "prompt", "seed", "strength", "guidance_scale"]
    assert [row["strength"] for row in table] == [result.settings.strength for result in grid]
    assert {row["sketch"] for row in table} == {0, 1, 2}


def test_prompts_make_cells_where_a_sketch_has_several():
    rows, features = judged([made(prompt=prompt, seed=seed) for prompt in ("a turtle", "a stone") for seed in (0, 1)])
    assert [cell.settings for cell in cells(rows, features)] == [{"prompt": "a stone"}, {"prompt": "a turtle"}]
    rows, features = judged([made(name=name) for name in NAMES])
    assert [cell.settings for cell in cells(rows, features)] == [{}]


def test_other_settings_make_cells_and_the_maps_take_them_together():
    results = [made(s, prepare=how, seed=k) for s in (0.3, 0.6) for how in ("lines", "filled") for k in (0, 1)]
    found = report(results)
    assert len(found.cells) == 4 and len(found.over_strength_and_guidance) == 2
    assert [cell.n for cell in found.over_strength_and_guidance] == [4, 4]
    assert "All other settings are taken together" in found._repr_html_()
    assert {cell.settings["guidance_scale"] for cell in found.over_strength_and_guidance} == {5.0}


def test_the_front_is_what_nothing_beats():
    points = [(1, 1), (2, 3), (3, 2), (2, 2), (3, 2), (0, 4)]
    assert pareto_front(points) == [1, 2, 4, 5]
    assert pareto_front([(1, 1)]) == [0] and pareto_front([]) == []
    rng = np.random.default_rng(0)
    points = [tuple(p) for p in rng.integers(0, 6, (40, 2))]
    front = pareto_front(points)
    for i, p in enumerate(points):
        beaten = any((q[0] >= p[0] and q[1] >= p[1]) and tuple(q) != tuple(p) for q in points)
        assert (i in front) == (not beaten)


# Conclusions, from scores made up for it


def cell(name, f1, kid=(0.5, 0.4, 0.6), n=12, match=(0.5, 0.4, 0.6)) -> Cell:
    row = Row(0, made(seed=3), 0, {"strength": name}, {"f1": f1[0], "prompt_match": match[0]})
    return Cell(
        {"strength": name},
        tuple([row] * n),
        Interval(*f1, n),
        Interval(*match, n),
        Interval(*kid, n) if kid else None,
    )


def said(made_cells, rows=None) -> tuple[str, str]:
    rows = rows or [row for c in made_cells for row in c.rows]
    found = conclusions(made_cells, rows)
    return " ".join(found.so), " ".join(found.not_so)


def test_intervals_that_overlap_are_no_difference():
    so, _ = said([cell(0.2, (0.8, 0.7, 0.9)), cell(0.5, (0.75, 0.65, 0.85))])
    assert "Faithfulness (edge F1): best is 0.80 [0.70, 0.90] (strength 0.2, n = 12)" in so
    assert "no difference between cells is shown" in so


def test_intervals_apart_are_a_difference():
    so, _ = said([cell(0.2, (0.9, 0.85, 0.95)), cell(0.5, (0.6, 0.5, 0.7))])
    assert "No other cell's interval reaches it." in so
    so, _ = said([cell(0.2, (0.9, 0.85, 0.95)), cell(0.5, (0.6, 0.5, 0.7)), cell(0.6, (0.89, 0.8, 0.9))])
    assert "1 of 2 others overlap with it" in so


def of_sketches(name, values, seed=3) -> Cell:
    """A cell of one picture a sketch, with these values of both scores."""
    rows = [Row(i, made(seed=seed), i, {"strength": name}, {"f1": v, "prompt_match": v}) for i, v in enumerate(values)]
    return Cell({"strength": name}, tuple(rows), interval(values), interval(values), Interval(0.5, 0.4, 0.6, len(rows)))


def test_cells_of_the_same_sketches_are_compared_sketch_by_sketch():
    values = np.linspace(0.3, 0.9, 12)  # sketches differ far more than settings do
    wobble = np.tile([0.01, -0.01], 6)
    best, near, lower = (of_sketches(n, values + v) for n, v in ((0.2, 0), (0.3, wobble - 0.001), (0.5, wobble - 0.03)))
    assert best.f1.overlaps(lower.f1)
    so, _ = said([best, lower])
    assert "(strength 0.2, n = 12). Sketch by sketch it differs from every other cell." in so
    assert "Sketch by sketch, no difference from any other cell is shown." in said([best, near])[0]
    assert (
        "Sketch by sketch, it differs from 1 of 2 others; from the rest no difference is shown."
        in said([best, near, lower])[0]
    )
    # Of a handful of sketches even differences of one sign may be chance: then intervals decide.
    few = [of_sketches(0.2, values[:5]), of_sketches(0.5, values[:5] - 0.01)]
    assert "so no difference between cells is shown" in said(few)[0]
    assert "Realism (micro-KID): best is 0.50 [0.40, 0.60] (strength 0.2, n = 12). Every other cell's" in so
    others = of_sketches(0.5, values - 0.03, seed=4)
    assert "overlaps" in said([best, others])[0].split("Realism")[0], "other seeds are no pairs"


def test_many_cells_that_do_not_differ_are_seldom_told_apart():
    random = np.random.default_rng(0)
    reports = 20
    told = 0
    for _ in range(reports):
        hard = random.uniform(0.3, 0.9, 12)
        so, _ = said([of_sketches(k, hard + random.normal(0, 0.02, 12)) for k in range(8)])
        told += "Faithfulness" in so and "no difference from any other cell is shown" not in so.split("Realism")[0]
    assert told <= 2  # with a 95 % interval for each pair it was 11


def test_less_is_better_for_the_distance():
    so, _ = said([cell(0.2, (0.9, 0.8, 1), (2.0, 1.8, 2.2)), cell(0.5, (0.9, 0.8, 1), (0.1, 0.0, 0.2))])
    assert "Realism (micro-KID): best is 0.10 [0.00, 0.20] (strength 0.5" in so


def test_what_has_no_more_than_chance_is_said():
    so, _ = said([cell(0.2, (0.9, 0.8, 1)), cell(0.9, (0.42, 0.36, 0.5))])
    assert "Not shown to be above it: strength 0.9." in so


def test_few_pictures_one_seed_and_one_sketch_are_no_evidence():
    _, not_so = said([cell(0.2, (0.9, 0.8, 1), n=3), cell(0.5, (0.5, 0.4, 0.6), n=3)])
    for words in ("one seed cannot show", "all pictures come from one", "n = 3 pictures", "too narrow"):
        assert words in not_so
    _, not_so = said([cell(0.2, (0.9, None, None), None, n=1), cell(0.5, (0.5, None, None), None, n=1)])
    assert "Nothing about realism: each cell has one picture" in not_so and "Nothing about single cells" in not_so


def test_trends_are_of_pairs_alike_in_all_else(found):
    text = " ".join(found.conclusions.so)
    trend = re.search(r"Strength from 0.2 to 1: edge F1 falls by (0\.\d+) \[(0\.\d+), (0\.\d+)\]", text)
    by_hand = [
        np.mean([row.scores["f1"] for row in c.rows]) for c in found.cells if c.settings["strength"] in (0.2, 1.0)
    ]
    assert float(trend[1]) == pytest.approx(np.mean(by_hand[:2]) - np.mean(by_hand[2:]), abs=0.006)
    assert "over 3 sketches, too few to show it, all else equal" in text
    assert re.search(r"Guidance from 1 to 5: no change of edge F1 is shown \(\+0\.00 \[", text), "nor was there any"


def test_settings_of_one_seed_are_no_trials():
    results = [made(s, g) for s in (0.2, 0.9) for g in (1.0, 3.0, 5.0)]
    text = " ".join(report(results).conclusions.so)
    assert re.search(r"Strength from 0.2 to 0.9: edge F1 -0\.\d\d and prompt match .*one sketch and one seed", text)
    results += [made(s, g, seed=1) for s in (0.2, 0.9) for g in (1.0, 3.0, 5.0)]
    assert "over 2 seeds of one sketch" in " ".join(report(results).conclusions.so)


# True pictures


def true_pictures(names=NAMES) -> list[Image.Image]:
    """Of each sketch a coloured page under the same lines: known, and unlike every result."""
    pages = [np.asarray(made(name=name).sketch) for name in names]
    return [Image.fromarray(np.minimum(page, np.uint8([255, 180, 60 + 40 * i]))) for i, page in enumerate(pages)]


@pytest.fixture(scope="module")
def with_pairs(grid):
    return report(grid, true_pictures())


def test_agreement_is_what_the_functions_say(with_pairs, grid, found):
    targets = true_pictures()
    for row, result in zip(with_pairs.rows, grid, strict=True):
        known = agreement(result.image, targets[NAMES.index(result.settings.prompt.split(",")[0].split()[-1])])
        assert (row.scores["psnr"], row.scores["ssim"]) == (known.psnr, known.ssim)
    assert [{k: v for k, v in row.items() if k not in PAIRED_SCORES} for row in with_pairs.table] == found.table
    for c in with_pairs.cells:
        assert c.psnr.value == pytest.approx(np.mean([row.scores["psnr"] for row in c.rows])) and c.ssim.n == 3
        assert c.ssim.low <= c.ssim.value <= c.ssim.high and c.lpips is None
    assert all(c.psnr is None and c.ssim is None for c in found.cells)


def test_one_for_each_result_is_the_same_as_one_for_each_sketch(with_pairs, grid):
    targets = true_pictures()
    assert report(grid, [targets[row.sketch] for row in with_pairs.rows]).table == with_pairs.table


def test_true_pictures_may_be_anything_that_opens(tmp_path):
    results = [made(s, seed=k) for s in (0.2, 0.8) for k in (0, 1)]
    (target,) = true_pictures(NAMES[:1])
    target.save(tmp_path / "true.png")
    pixels = torch.from_numpy(np.array(target)).permute(2, 0, 1)
    forms = [target, [target], str(tmp_path / "true.png"), tmp_path / "true.png", (tmp_path / "true.png").read_bytes()]
    forms += [np.asarray(target), np.asarray(target)[None], pixels[None], [pixels], pixels / 127.5 - 1]
    forms += [SimpleNamespace(pixels=pixels[None], rows=[{}]), replace(made(), image=target), iter([target])]
    wanted = report(results, target).table
    for form in forms:
        assert report(results, form).table == wanted, type(form)


def test_embedded_pairs_are_true_pictures():
    from s2i_teach.training.pictures import load_pairs

    pairs = load_pairs("test", keep=lambda row: row["style"] == "openmoji" and "animal" in row["tags"])
    pairs = pairs.select(lambda row: row in pairs.rows[:2])
    folder = data_dir() / "pairs" / "test"
    results = []
    for row in pairs.rows:
        line, true = (s2i.open_sketch(folder / row[key]) for key in ("sketch", "file_name"))
        settings = made().settings
        results.append(replace(made(), sketch=line, image=true, settings=replace(settings, prompt=row["text"])))
    assert [row["psnr"] for row in report(results, pairs).table] == [COPY, COPY], "a copy's has no bound, and no mean"
    assert [row["ssim"] for row in report(results, pairs.pixels).table] == [1, 1]


def test_several_sweeps_are_one_list_of_results(grid, with_pairs):
    sweeps = [SimpleNamespace(results=tuple(grid[i : i + 12])) for i in range(0, 36, 12)]
    assert report(sweeps, true_pictures()).table == with_pairs.table
    assert len(as_results([sweeps[0], grid[12], *sweeps[1:]])) == 37
    with pytest.raises(InputError, match="Number 1 of the results is a SimpleNamespace"):
        as_results([sweeps[0], SimpleNamespace(results=[1])])


def test_agreement_is_concluded_and_its_limits_too(with_pairs, found):
    so, not_so = (" ".join(part) for part in (with_pairs.conclusions.so, with_pairs.conclusions.not_so))
    least = max(with_pairs.cells, key=lambda c: c.psnr.value)
    assert f"Agreement (PSNR, dB): best is {least.psnr} ({least.name}, n = 6)" in so and "Agreement (SSIM): best" in so
    trend = re.search(r"Strength from 0.2 to 1: edge F1 [^:]* PSNR \(dB\) [^:]* and SSIM falls by (\d\.\d\d) \[", so)
    low, high = (
        np.mean([c.ssim.value for c in with_pairs.cells if c.settings["strength"] == strength])
        for strength in (0.2, 1.0)
    )
    assert float(trend[1]) == pytest.approx(low - high, abs=0.006)
    beside = [agreement(made(name=name).sketch, target) for name, target in zip(NAMES, true_pictures(), strict=True)]
    psnr, ssim = (np.mean([getattr(a, name) for a in beside]) for name in ("psnr", "ssim"))
    assert f"The sketches as they are have PSNR {psnr:.2f} dB and SSIM {ssim:.2f} beside" in so
    assert "No cell is shown to have a higher SSIM." in so, "noise takes structure away"
    blurred = [row.result.image.filter(ImageFilter.GaussianBlur(2)) for row in with_pairs.rows]
    psnr = np.mean([agreement(b, row.paired.target).psnr for b, row in zip(blurred, with_pairs.rows, strict=True)])
    assert f"blurred by 2 pixels, have PSNR {psnr:.2f} dB instead of" in not_so and "PSNR and SSIM rise." in not_so
    assert "one sketch has many right pictures" in not_so
    alone = " ".join(found.conclusions.so + found.conclusions.not_so)
    assert "PSNR" not in alone and "SSIM" not in alone


def test_cells_that_agree_more_than_their_sketches_are_named():
    target = true_pictures(NAMES[:1])[0]
    noise = np.random.default_rng(0).normal(0, 4, (6, 128, 128, 3))
    near = [Image.fromarray((np.asarray(target) + n).clip(0, 255).astype(np.uint8)) for n in noise]
    results = [made(0.2, seed=k, picture=near[k]) for k in range(6)] + [made(0.9, seed=k) for k in range(6)]
    text = " ".join(report(results, target).conclusions.so)
    assert "Every cell has a higher PSNR on the average. Shown to have a higher SSIM: strength 0.2." in text
    text = " ".join(report(results[:6], target).conclusions.so)
    assert "On the average the results have a higher PSNR. On the average the results have a higher SSIM." in text
    text = " ".join(report(results[6:7], target).conclusions.so)
    assert "No result is shown to have a higher PSNR." in text


def test_blur_that_does_not_help_is_not_said_to():
    target = true_pictures(NAMES[:1])[0]
    text = " ".join(report(made(picture=target), target).conclusions.not_so)
    assert "instead of 60.00, SSIM" in text and text.count("here neither rises.") == 1


def test_lpips_is_a_column_where_it_is_available(monkeypatch):
    monkeypatch.setattr(paired, "available", lambda: {"LPIPS": ""})
    monkeypatch.setattr(paired, "lpips", lambda picture, target: float(np.asarray(picture).mean() < 128))
    found = report([made(s, seed=k) for s in (0.2, 0.8) for k in (0, 1)], true_pictures(NAMES[:1]))
    assert all("lpips" in row for row in found.table) and found.cells[0].lpips.value == 0
    assert "Agreement (LPIPS): best is 0.00" in " ".join(found.conclusions.so)
    assert ">Agreement (LPIPS)<" in found._repr_html_()


def test_the_page_shows_true_pictures_and_figures(with_pairs, found, tmp_path):
    text = with_pairs.save(tmp_path / "pairs.html").read_text(encoding="utf-8")
    page = Checked(text)
    assert page.open == [] and page.outside == []
    alts = [image["alt"] for image in page.images]
    assert sum(alt.startswith("The true picture of: ") for alt in alts) == 3
    heat = next(alt for alt in alts if alt.startswith("Heat map of Agreement (SSIM)"))
    assert all(f"{c.ssim.value:.2f}" in heat for c in with_pairs.cells)
    row = with_pairs.cells[0].rows[0].scores
    assert any(f"PSNR {row['psnr']:.1f} dB, SSIM {row['ssim']:.2f}" in alt for alt in alts)
    for c in with_pairs.cells:
        assert str(c.psnr).replace(", ", ",\xa0") in text
    for words in (">Agreement (PSNR, dB)<", ">PSNR (dB)<", ">SSIM<", "a copy counts as 60 dB"):
        assert words in text and words not in found._repr_html_()
    assert "report(results, targets=[…])" in found._repr_html_() and "targets=" not in text


@pytest.mark.parametrize(
    "targets, words",
    [
        ([], "There are 0 true pictures for 4 results of 2 sketches: give one for each sketch"),
        (true_pictures(), "There are 3 true pictures for 4 results of 2 sketches"),
        (true_pictures()[0], "There is 1 true picture for 4 results of 2 sketches"),
        (7, "This is no list of pictures (int)"),
        ({"turtle": "a.png"}, "This is no list of pictures (dict)"),
        (np.array(3.0), "This is no list of pictures (ndarray)"),
        ([true_pictures()[0], 7], "Number 1 of the true pictures: A picture cannot be made from a int"),
        ([true_pictures()[0], None], "Number 1 of the true pictures: A picture cannot be made from a NoneType"),
        (["nowhere.png"] * 2, "Number 0 of the true pictures: nowhere.png does not exist"),
        (
            [true_pictures()[0], Image.new("RGB", (64, 128))],
            "Number 1 of the true pictures is 64 × 128 and its result 128 × 128: bring it to that with s2i.open_sketch",
        ),
    ],
)
def test_true_pictures_that_cannot_be(targets, words):
    with pytest.raises(InputError, match=re.escape(words)) as raised:
        report([made(seed=k, name=name) for name in NAMES[:2] for k in (0, 1)], targets)
    assert "\n" not in str(raised.value)


# The page


class Checked(HTMLParser):
    """Tags that close as they opened, and the pictures' sources and alternative texts."""

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.outside = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        for name in ("src", "srcset", "href"):
            if name in attributes and not attributes[name].startswith("data:"):
                self.outside.append(attributes[name])
        if tag == "img":
            self.images.append(attributes)
        if tag not in ("img", "meta", "source", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_needs_no_other_file(found, tmp_path):
    path = found.save(tmp_path / "deep" / "report.html")
    text = path.read_text(encoding="utf-8")
    page = Checked(text)
    assert page.open == [] and page.outside == [] and "http" not in re.sub(r'base64,[^"]*', "", text)
    assert len(page.images) >= 6 and all(len(image["alt"]) > 10 for image in page.images)
    assert "prefers-color-scheme: dark" in text and text.count("<source") == 3
    heat = next(image["alt"] for image in page.images if image["alt"].startswith("Heat map of Faithfulness"))
    for c in found.cells:
        wanted = f"strength {c.settings['strength']:g}, guidance {c.settings['guidance_scale']:g}: {c.f1.value:.2f}"
        assert wanted in heat
    inside = Checked(found._repr_html_())
    assert inside.open == [] and all(image["alt"] for image in inside.images)


def test_what_a_user_wrote_is_never_read_as_html(tmp_path):
    text = report([made(prompt="<script>alert(1)</script>", seed=k, strength=s) for k in (0, 1) for s in (0.2, 0.9)])
    assert "<script" not in text._repr_html_() and "&lt;script&gt;" in text._repr_html_()


def test_one_picture_and_cells_of_one_are_reported():
    assert report(made()).cells[0].micro_kid is None
    found = report([made(s) for s in (0.2, 0.9)])
    assert found.other == "prompt_match" and "needs 2 pictures" in found._repr_html_()
    assert "Faithfulness and prompt match" in found._repr_html_()


def test_the_same_results_give_the_same_report(grid, found):
    assert report(iter(grid)).cells == found.cells
    assert report(SimpleNamespace(results=grid[:4])).table == report(grid[:4]).table


@pytest.mark.parametrize(
    "results, words",
    [
        ([], "no result"),
        (7, "int holds no results"),
        ("results", "str holds no results"),
        ([made(), "x"], "Number 1 of the results is a str"),
        ([replace(made(), sketch=Image.new("RGB", (128, 128), "white"))], "sketch is empty"),
        ([made(prompt=" ")], "says nothing"),
    ],
)
def test_what_cannot_be_reported(results, words):
    with pytest.raises(InputError, match=words):
        report(results)
    assert as_results([made()])


@pytest.mark.parametrize("name, words", [("r.pdf", "does not end in .html"), ("folder.html", "is a folder")])
def test_where_a_report_cannot_go(found, tmp_path, name, words):
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(InputError, match=words):
        found.save(tmp_path / name)


# In another language


def seen(html: str) -> str:
    """All that a reader of a page reads or hears: text, alternative texts and labels, without code."""
    from html import unescape

    html = re.sub(r"<style>.*?</style>", " ", html, flags=re.DOTALL)
    said = re.findall(r'(?:alt|aria-label)="([^"]*)"', html)
    return unescape(" ".join([*said, re.sub(r"<[^>]*>", " ", html)])).replace("\xa0", " ")


def says(text: str, words: str) -> bool:
    """Whether a table's words stand in a text as whole words, whatever fills their fields."""
    parts = literals(words)
    if not all(part in text for part in parts):
        return False  # nearly all, and at once: the pattern looks at each place of the text
    return re.search(r"(?<!\w)" + ".+?".join(map(re.escape, parts)) + r"(?!\w)", text) is not None


@pytest.fixture(scope="module")
def reports():
    """Reports that say, together, nearly all that there is to say: name → (results, true pictures)."""
    target = true_pictures(NAMES[:1])
    noise = np.random.default_rng(0).normal(0, 4, (6, 128, 128, 3))
    near = [Image.fromarray((np.asarray(target[0]) + n).clip(0, 255).astype(np.uint8)) for n in noise]
    varied = [made(s, prepare=how, seed=k) for s in (0.3, 0.6) for how in ("lines", "filled") for k in (0, 1)]
    two = [made(s, g, 0, name) for name in NAMES[:2] for s in (0.2, 0.6) for g in (1.0, 5.0)]
    return {
        "with true pictures": (two, true_pictures(NAMES[:2])),
        "one picture": ([made()], None),
        "single pictures": ([made(s) for s in (0.2, 0.9)], None),
        "other settings": (varied, None),
        "a copy": ([made(picture=target[0])], target),
        "near ones": ([made(0.2, seed=k, picture=near[k]) for k in range(6)], target),
        "near and far": (
            [made(s, seed=k, picture=near[k] if s < 0.5 else None) for s in (0.2, 0.9) for k in range(6)],
            target,
        ),
    }


def test_every_language_has_every_word_of_a_report():
    english = strings.STRINGS["en"]
    assert set(strings.STRINGS) == set(LANGUAGES)
    for code, table in strings.STRINGS.items():
        assert list(table) == list(english) and table["code"] == code
        for key, text in table.items():
            gaps = [sorted(name for _, name, _, _ in Formatter().parse(t) if name) for t in (text, english[key])]
            assert text.strip() and gaps[0] == gaps[1], (code, key)
    named = {"number", "sketch", "model", "micro_kid", *SCORES, *PAIRED_SCORES, *(f.name for f in fields(Settings))}
    assert named == {key.removeprefix("name_") for key in english if key.startswith("name_")}


def test_every_word_of_a_report_is_used():
    code = "".join(path.read_text(encoding="utf-8") for path in ROOM.glob("*.py") if path.name != "strings.py")
    made_up = ("name_", "measure_", "axis_", "trade_")
    unused = [k for k in strings.STRINGS["en"] if f'"{k}"' not in code and f"'{k}'" not in code]
    assert [key for key in unused if not key.startswith(made_up)] == []


def test_a_german_report_has_no_english_words(reports, monkeypatch):
    monkeypatch.setattr(figures, "_png", lambda figure: b"")  # what stands in pictures is not read here
    english, german = strings.STRINGS["en"], strings.STRINGS["de"]
    differ = [key for key in english if english[key] != german[key] and key != "code"]
    assert len(differ) > 0.8 * len(english)
    told = {"en": set(), "de": set()}
    for name, (results, targets) in reports.items():
        judged_once = report(results, targets)
        for code in LANGUAGES:
            so = conclusions(list(judged_once.cells), list(judged_once.rows), strings.table(code))
            text = seen(replace(judged_once, conclusions=so, language=code)._repr_html_())
            for row in results:
                text = text.replace(row.settings.prompt, "…")
            own, other = (strings.STRINGS[c] for c in (code, "de" if code == "en" else "en"))
            told[code] |= {key for key in differ if says(text, own[key])}
            if code == "de":
                assert [other[key] for key in differ if says(text, other[key])] == [], name
    # Words of a figure's axes stand in no text, and few words around a gap, as "and … more", fit sentences of others.
    telling = {
        key for key in differ if not key.startswith("axis_") and len(" ".join(literals(english[key])).split()) > 2
    }
    assert told["de"] & telling == told["en"] & telling, "both say the same"
    assert len(told["en"]) > 0.6 * len(differ), set(differ) - told["en"]


def test_figures_are_the_same_in_both_languages():
    results = [made(s, g, 0, name) for name in NAMES[:2] for s in (0.2, 0.9) for g in (1.0, 5.0)]
    english, german = (report(results, true_pictures(NAMES[:2]), code) for code in LANGUAGES)
    assert german.table == english.table and german.cells == english.cells and german.front == english.front

    def numbers(sentences):
        return [re.findall(r"-?\d+(?:\.\d+)?", re.sub(r"F1|95", "", sentence)) for sentence in sentences]

    assert numbers(german.conclusions.so) == numbers(english.conclusions.so)


def test_a_report_speaks_the_language_that_was_chosen(german, tmp_path):
    found = report([made(s) for s in (0.2, 0.9)])
    assert found.language == "de" and "Was nicht daraus folgt" in found._repr_html_()
    s2i.language("en")
    assert "Was nicht daraus folgt" in found._repr_html_(), "made in German it stays German"
    page = found.save(tmp_path / "r.html").read_text(encoding="utf-8")
    assert page.startswith('<!DOCTYPE html>\n<html lang="de">') and Checked(page).open == []
    assert "1.00 [kein Intervall: n = 1]" in page
    assert report([made()]).language == "en" and report([made()], language="de").language == "de"
    for wrong in ("xx", 5):
        with pytest.raises(InputError, match="use one of en, de"):
            report([made()], language=wrong)


def test_what_is_not_available_is_said_in_german(monkeypatch):
    sentence = "KID is not available: install what it needs with pip install torchmetrics."
    monkeypatch.setattr(reporting, "available", lambda: {"KID": sentence})
    assert "KID gibt es hier nicht: was fehlt, mit pip install torchmetrics installieren." in seen(
        report([made()], language="de")._repr_html_()
    )
    assert sentence in seen(report([made()])._repr_html_())


@pytest.mark.parametrize("code", LANGUAGES)
def test_no_title_of_a_map_is_wider_than_the_map(code):
    found = report([made(s, seed=k) for s in (0.2, 0.9) for k in (0, 1)], true_pictures(NAMES[:1]), code)
    kept = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "_png", kept.append)
        for measure in ("f1", "micro_kid", "prompt_match", "psnr", "ssim"):
            figures.heat_map(list(found.over_strength_and_guidance), measure, table=found.words)
    assert len(kept) == 5
    for figure in kept:
        figure.canvas.draw()
        box = figure.axes[0].title.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.width, figure.axes[0].get_title()

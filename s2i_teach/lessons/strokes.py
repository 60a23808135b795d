"""Drawings of few strokes, as points on a page of 128 × 128: smooth, and as a pen draws that only keys can move."""

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

SIDE = 128
FINER = 4
"""Times finer lines are drawn before they are shrunk, so that they are smooth."""

Point = tuple[float, float]
Stroke = list[Point]


def arc(x: float, y: float, across: float, down: float, start: float, end: float, points: int = 24) -> Stroke:
    """A part of an ellipse around ``(x, y)``, from one angle to another, in degrees clockwise from the right."""
    angles = [math.radians(start + (end - start) * i / points) for i in range(points + 1)]
    return [(x + across * math.cos(a), y + down * math.sin(a)) for a in angles]


def few_strokes() -> dict[str, list[Stroke]]:
    """Four things in at most three strokes each, without lifting the pen within a stroke."""
    return {
        "mushroom": [[*arc(64, 62, 46, 42, 180, 360), (18, 62)], [(52, 62), (50, 108), (78, 108), (76, 62)]],
        "fish": [arc(54, 64, 40, 24, 0, 360), [(92, 58), (118, 40), (118, 88), (92, 70)], [(30, 58), (31, 59)]],
        "umbrella": [[*arc(64, 60, 50, 40, 180, 360), (14, 60)], [(64, 60), (64, 108), *arc(56, 108, 8, 8, 0, 180, 8)]],
        "house": [
            [(26, 60), (64, 20), (102, 60)],
            [(32, 58), (32, 110), (96, 110), (96, 58)],
            [(56, 110), (56, 80), (74, 80), (74, 110)],
        ],
    }


def by_keyboard(strokes: Sequence[Stroke], step: int = 10) -> list[Stroke]:
    """The strokes as arrow keys would draw them: on a grid, in steps of one length, straight or diagonal."""
    return [_walked([(round(x / step), round(y / step)) for x, y in stroke], step) for stroke in strokes]


def _walked(goals: list[tuple[int, int]], step: int) -> Stroke:
    x, y = goals[0]
    walked = [(x, y)]
    for goal_x, goal_y in goals[1:]:
        while (x, y) != (goal_x, goal_y):
            x, y = x + (goal_x > x) - (goal_x < x), y + (goal_y > y) - (goal_y < y)
            walked.append((x, y))
    return [(float(step * x), float(step * y)) for x, y in walked]


def drawn(strokes: Sequence[Stroke], width: float = 3.0) -> Image.Image:
    """The strokes as black lines on a white page, RGB, 128 × 128."""
    page = Image.new("L", (SIDE * FINER, SIDE * FINER), 255)
    pen = ImageDraw.Draw(page)
    for stroke in strokes:
        pen.line([(x * FINER, y * FINER) for x, y in stroke], fill=0, width=round(width * FINER), joint="curve")
    return page.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)

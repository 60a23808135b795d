"""Exercises of lesson 13, prompts. Each has many mistakes, and a file of its own."""

from s2i_teach.lessons.engine import Lesson
from s2i_teach.lessons.lesson13_flips import SIGN_FLIP
from s2i_teach.lessons.lesson13_pieces import READ_AND_LOST
from s2i_teach.lessons.lesson13_shares import VARIANCE_SHARES

LESSON = Lesson(13, "Prompts", [READ_AND_LOST, VARIANCE_SHARES, SIGN_FLIP])

"""Surges: days on which a country's sessions lie far above what its own history expects."""

from pipeline.surges.detector import Detection, Judgement, detect, judge_days
from pipeline.surges.episodes import Episode
from pipeline.surges.results import find_surges

__all__ = [
    "Detection",
    "Episode",
    "Judgement",
    "detect",
    "find_surges",
    "judge_days",
]

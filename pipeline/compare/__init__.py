"""What a changed setting would do to the figures, without touching the lake: ``compare``."""

from pipeline.compare.commands import add_to

__all__ = ["add_to"]

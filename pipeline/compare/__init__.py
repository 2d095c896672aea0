"""What a changed setting would do to the figures, without touching the lake: ``compare``."""

from pipeline.cli.compare import add_to

__all__ = ["add_to"]

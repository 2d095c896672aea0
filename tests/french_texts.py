"""What is left of English in a text that is to be French."""

import re

_QUOTED = re.compile(
    r"`[^`]*`|«[^»]*»|<code>.*?</code>|<style>.*?</style>|https?://\S+|[\w/.-]+\.(?:log|py|com|parquet)\b",
    re.DOTALL,
)
_ENGLISH = re.compile(
    r"\b(the|of|and|are|was|were|from|with|by|which|that|this|these|is|its|has|have|not|no|none|at"
    r" least|than|days?|hits?|logs?|lines?|files?|expected|sessions? from|countr(?:y|ies)|hours?"
    r"|published|restated|above|below|surges?|missing|requests?|incomplete|preliminary|usually|why)\b"
)


def find_english(text: str) -> list[str]:
    """The English words of a text, each with what stands around it, but for what is quoted."""
    bare = _QUOTED.sub(" ", text)
    return [bare[max(0, at.start() - 40) : at.end() + 40] for at in _ENGLISH.finditer(bare)]

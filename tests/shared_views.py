"""Files of views, each kind of which is made once a process.

Those of lakes with the same columns differ by the lake's folder alone, which a type in them names.
The product makes the first, of which the others are copies that name their own lakes: making it
takes 90 ms, as much as a fourth of all else that a small lake costs.
"""

from itertools import count
from pathlib import Path

import duckdb

from pipeline.errors import LakeError
from pipeline.lake import views
from pipeline.lake.lake import Lake
from pipeline.lake.place import BucketUrl

make_views = views.make_views
"""The product's own."""


class SharedViews:
    """Stands for ``make_views``."""

    def __init__(self) -> None:
        """Begin with no file."""
        self._made: dict[str, bytes] = {}
        self._database = duckdb.connect(config={"threads": "1"})
        self._numbers = count()

    def __call__(self, lake: Lake, draft: Path, url: str | None = None) -> None:
        """Write a database of the lake's views to ``draft``."""
        kind = None if url or isinstance(lake.place, BucketUrl) else _kind(lake)
        if kind in self._made:
            draft.write_bytes(self._made[kind])
            self._name(draft, views._folder(lake))
            return
        make_views(lake, draft, url)
        if kind:
            self._made[kind] = draft.read_bytes()

    def _name(self, draft: Path, folder: str) -> None:
        alias = f"lake_{next(self._numbers)}"
        path, label = map(views._quoted, (str(draft.absolute()), folder))
        with self._database.cursor() as cursor:
            cursor.execute(
                f"ATTACH {path} AS {alias} (STORAGE_VERSION 'v1.0.0'); BEGIN;"
                f" DROP TYPE {alias}.lake_root; CREATE TYPE {alias}.lake_root AS ENUM ({label});"
                f" COMMIT; DETACH {alias}"
            )


def _kind(lake: Lake) -> str | None:
    """All that the views are made of but the folder; None when it can't be read."""
    try:
        found = views._sample_files(lake).items()
        columns = {name: path and views._read_columns(path) for name, path in found}
        return repr((columns, views._zone(lake), views._is_mixed(lake)))
    except LakeError:
        return None

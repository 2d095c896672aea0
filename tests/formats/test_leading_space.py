"""A space before each line, which a syslog daemon's template of the message alone leaves."""

from pathlib import Path

import pytest
from layout_lines import IIS, LINE, VHOST, find

JSON = (
    '{"ClientHost":"203.0.113.%d","DownstreamStatus":200,"RequestMethod":"GET",'
    '"RequestPath":"/%d","StartUTC":"2016-11-08T20:30:00Z"}'
)
COMMON = LINE.removesuffix(' "-" "Mozilla/5.0"')


@pytest.mark.rest_large
@pytest.mark.parametrize("line", [LINE, COMMON, VHOST, JSON, IIS], ids=lambda line: line[:9])
@pytest.mark.parametrize("every", [1, 2], ids=["all", "half of them"])
def test_a_space_before_a_line_is_no_part_of_it(tmp_path: Path, line: str, every: int) -> None:
    path = tmp_path / "web.log"
    lines = [" " * (n % every == 0) + line % (n, n) for n in range(20)]
    path.write_text("".join(f"{one}\n" for one in lines))
    bare = tmp_path / "bare.log"
    bare.write_text("".join(f"{one.lstrip()}\n" for one in lines))
    assert find(path)[1] == find(bare)[1]
    assert len(find(path)[1]) == 20


def test_two_spaces_are_no_template_of_syslogs(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text("".join(f"  {LINE % (n, n)}\n" for n in range(20)))
    assert find(path)[1] == []

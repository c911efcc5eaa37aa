"""Runs every *.case under this folder on the embedded broker. See README.md."""
from contextlib import contextmanager
from pathlib import Path

import pytest

from embedded import Embedded
from sqlcase import run_case

HERE = Path(__file__).parent
CASES = sorted(HERE.rglob("*.case"))


@contextmanager
def embedded(cluster, topics, folder):
    files = []
    for i, topic in enumerate(topics):
        files.append(folder / f".{cluster}-{i}.records")
        files[-1].write_text(topic.plain())
    with Embedded(files) as broker:
        yield broker.bootstrap


if CASES:
    @pytest.mark.parametrize("path", CASES, ids=lambda p: str(p.relative_to(HERE)).removesuffix(".case"))
    def test_case(path, request):
        run_case(path, embedded, request.config.getoption("--update"))

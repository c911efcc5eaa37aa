"""Runs every *.case under tests/kafka/cases on a real Kafka. Their form: tests/sql/README.md."""
from contextlib import contextmanager
from pathlib import Path

import pytest

from sqlcase import run_case

HERE = Path(__file__).parent / "cases"
CASES = sorted(HERE.rglob("*.case"))


if CASES:
    @pytest.mark.parametrize("path", CASES, ids=lambda p: str(p.relative_to(HERE)).removesuffix(".case"))
    def test_case(path, request, kafka):
        @contextmanager
        def real(cluster, topics, folder):
            if cluster != "main":
                raise NotImplementedError("there is one real cluster: 'main'")
            made = []
            try:
                for topic in topics:
                    kafka.create_topic(topic.name, topic.partitions, topic.configs)
                    made.append(topic.name)
                    kafka.produce(topic.name, topic.records, compression_type=topic.compression)
                yield kafka.bootstrap
            finally:
                if made:
                    kafka.delete_topic(*made)

        run_case(path, real, request.config.getoption("--update"))

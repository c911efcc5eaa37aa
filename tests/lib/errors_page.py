"""docs/errors.md from core/errors.def:  python3 tests/lib/errors_page.py > docs/errors.md

A test compares the page with what this makes, so an error that is added or changed needs the command above and nothing else."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

HEAD = """# Errors

Every error has a number. `weir explain WEIR-3002` says more about it, `weir explain all` lists them. This page is made from the same table
(`core/errors.def`).

```
weir: script.sql:4:15: no table "plant.sensers", and no such topic on cluster plant (Did you mean "plant.sensors"?) [WEIR-3002]
      |         | |    |                                                             |                               |
      file   line column  what happened                                              what to try                     number
```

On a terminal the line of the script follows, with a caret below the place. Errors, warnings and notices go to standard error; standard
output is data only. At the prompt `\\errverbose` says all that is known about the last error.

A batch stops at its first error and returns that error's exit code. With `--keep-going` it goes on and returns the first error's code at the end.

Messages that cannot be decoded are no errors: the row stays, its columns are NULL, `_error` says why, and one warning counts them at the end
([formats](formats.md#what-happens-to-bad-messages)). With `--strict` the first one is error WEIR-4003.
"""
GROUPS = (("1", "1xxx: usage, configuration, internal"), ("2", "2xxx: connection"), ("3", "3xxx: SQL and scripts"), ("4", "4xxx: data"),
          ("5", "5xxx: database file"), ("6", "6xxx: guard rails"), ("9", "9xxx: ended from outside"))
TAIL = """
## Exit codes

| code | meaning |
|---|---|
| 0 | all went well; also when there are no rows |
| 1 | usage, configuration, output could not be written, internal |
| 2 | connection, TLS, authentication, authorisation, delivery |
| 3 | SQL or script |
| 4 | data: lost offsets, a damaged batch, `--strict`, a failed `\\assert` |
| 5 | database file or disk |
| 6 | guard rail: `--max-bytes` |
| 124 | `--timeout` |
| 130, 143, 129 | SIGINT, SIGTERM, SIGHUP |
| 141 | the reader of standard output went away |

What a scan does when brokers, topics or partitions fail is in [kafka.md](kafka.md).
"""


def entries():
    """(number, exit name, title, advice) of each row of core/errors.def."""
    text = (ROOT / "core/errors.def").read_text(encoding="utf-8")
    found = re.findall(r'^ERROR\((\d+), \w+, (\w+), "((?:[^"\\]|\\.)*)", "((?:[^"\\]|\\.)*)"\)$', text, re.M)
    assert len(found) == len(re.findall(r"^ERROR\(", text, re.M)), "a row of core/errors.def has another form"
    return [(n, code, title.replace('\\"', '"').replace("\\\\", "\\"), advice.replace('\\"', '"').replace("\\\\", "\\")) for n, code, title, advice in found]


def exit_codes():
    """EXIT_x -> number."""
    text = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "core/err.h", ROOT / "core/err.c"))
    return dict(re.findall(r"\b(EXIT_[A-Z]+)\s*=\s*(\d+)", text))


def page():
    codes, rows = exit_codes(), entries()
    parts = [HEAD]
    for first, title in GROUPS:
        parts.append(f"\n## {title}\n\n| number | exit | what | what to do |\n|---|---|---|---|\n")
        for n, code, what, advice in rows:
            if n[0] == first:
                parts.append(f"| <a id=\"weir-{n}\"></a>WEIR-{n} | {codes[code]} | {what} | {advice.replace('|', chr(92) + '|')} |\n")
    assert all(n[0] in [g for g, _ in GROUPS] for n, *_ in rows)
    parts.append(TAIL)
    return "".join(parts)


if __name__ == "__main__":
    print(page(), end="")

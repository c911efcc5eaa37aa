"""Fails on an #include "folder/..." edge outside the strict DAG of docs/architecture.md, and on a third-party header outside its place."""
import pathlib
import re
import sys

ALLOWED = {
    "core": set(),
    "codec": {"core"},
    "kafka": {"core"},
    "vtab": {"codec", "core"},
    "fuse": {"codec", "core"},
    "sql": {"vtab", "kafka", "codec", "core"},
    "shell": {"sql", "fuse", "core"},
}
# Where shell may reach kafka: only for the embedded broker.
EXTRA = {("shell", "kafka/embedded.h")}
THIRD_PARTY = {
    r"librdkafka/": {"kafka"},
    r"sqlite3(ext)?\.h": {"vtab", "sql", "shell"},
    r"readline/": {"shell"},
    r"fuse3?/": {"fuse"},
    r"jansson\.h": {"codec", "kafka", "sql", "core"},
}


def main(root: pathlib.Path) -> int:
    bad = []
    edges = 0
    for folder, allowed in ALLOWED.items():
        for path in sorted((root / folder).rglob("*.[ch]")):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                where = f"{path.relative_to(root)}:{number}"
                m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
                if m:
                    edges += 1
                    target = m.group(1).split("/")[0]
                    if "/" not in m.group(1):
                        bad.append(f'{where}: write the folder too: #include "{folder}/{m.group(1)}"')
                    elif target != folder and target not in allowed and (folder, m.group(1)) not in EXTRA:
                        bad.append(f"{where}: {folder} must not include {m.group(1)}")
                m = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
                if m:
                    for pattern, homes in THIRD_PARTY.items():
                        if re.match(pattern, m.group(1)) and folder not in homes:
                            bad.append(f"{where}: <{m.group(1)}> belongs in {', '.join(sorted(homes))}")
    print("\n".join(bad) or f"{edges} includes, all inside the DAG")
    return 1 if bad or edges == 0 else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))

"""Reads, runs and updates SQL cases. Their form is described in tests/sql/README.md."""
import json
import os
import re
import shlex
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from weir import weir

SECTIONS = ("topic", "broker", "args", "argv", "script", "file", "env", "timeout", "exit", "stdout", "stderr", "xfail")
_HEADER = re.compile(r"^--- (" + "|".join(SECTIONS) + r")\b ?(.*)$")
_HOW = ("", "unordered", "unordered header", "lines")
FIRST_TS = 1700000000000


class CaseError(Exception):
    """The case itself is wrong; the text begins with file:line."""


# ---- sections

@dataclass
class Section:
    word: str
    rest: str                        # of the header line
    line: int                        # of the header, from 1
    lines: list = field(default_factory=list)

    @property
    def text(self):
        kept = list(self.lines)
        while kept and not kept[-1].strip():
            kept.pop()
        return "\n".join(re.sub(r"^\\(?=--- )", "", l) for l in kept)


class Case:
    def __init__(self, path):
        self.path = Path(path)
        self.sections = []
        self.intro = []
        for i, line in enumerate(self.path.read_text(encoding="utf-8").split("\n"), 1):
            header = _HEADER.match(line)
            if header:
                self.sections.append(Section(header[1], header[2].strip(), i))
            elif line.startswith("--- ") and not self.sections:
                raise CaseError(f"{self.path}:{i}: no section '{line}'")
            else:
                (self.sections[-1].lines if self.sections else self.intro).append(line)
        for word in ("args", "argv", "script", "env", "timeout", "exit", "stdout", "stderr", "xfail"):
            if len(self.all(word)) > 1:
                raise CaseError(f"{self.path}:{self.all(word)[1].line}: a second section '{word}'")
        if not any(self.all(w) for w in ("stdout", "stderr", "exit")):
            raise CaseError(f"{self.path}:1: expects nothing (no stdout, stderr or exit)")
        for s in self.all("stdout") + self.all("stderr"):
            if s.rest not in _HOW:
                raise CaseError(f"{self.path}:{s.line}: '{s.rest}' is not a way to compare")
        self.topics = [Topic(self, s) for s in self.all("topic")]
        self.clusters = sorted({t.cluster for t in self.topics} | {s.rest or "main" for s in self.all("broker")})

    def all(self, word):
        return [s for s in self.sections if s.word == word]

    def one(self, word):
        return (self.all(word) or [None])[0]

    def text(self, word, default=""):
        s = self.one(word)
        return s.text if s else default

    @property
    def exit(self):
        return int(self.one("exit").rest) if self.one("exit") else 0


# ---- records

class Topic:
    def __init__(self, case, section):
        words = shlex.split(section.rest)
        if not words or "=" in words[0]:
            raise CaseError(f"{case.path}:{section.line}: a topic needs a name")
        self.name, options = words[0], dict(w.split("=", 1) for w in words[1:])
        self.partitions = int(options.pop("partitions", 1))
        self.compression = options.pop("compression", "none")
        self.cluster = options.pop("cluster", "main")
        self.configs = options
        self.records = []
        ts = None
        for i, line in enumerate(section.lines, section.line + 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            try:
                f = _fields(line.strip())
                for k in range(int(f.get("n", 1))):
                    ts = _ts(f.get("ts"), ts)
                    spread = f.get("p") == "*"
                    self.records.append({"partition": k % self.partitions if spread else int(f.get("p", 0)), "ts": ts, "key": _value(f.get("k"), k if "n" in f else None),
                                         "value": _value(f.get("v"), k if "n" in f else None), "headers": _headers(f.get("h"))})
                    if not 0 <= self.records[-1]["partition"] < self.partitions:
                        raise ValueError(f"partition {f['p']} of {self.partitions}")
            except ValueError as e:
                raise CaseError(f"{case.path}:{i}: {e}") from None

    def plain(self):
        """The form that weir-test-broker reads."""
        rows = [f"topic {self.name} {self.partitions} {self.compression}"]
        for r in self.records:
            headers = ",".join(f"{_hex(n.encode())}:{_hex(v)}" for n, v in r["headers"]) or "-"
            rows.append(f"{r['partition']} {r['ts']} {_hex(r['key'])} {_hex(r['value'])} {headers}")
        return "\n".join(rows) + "\n"


def _fields(line):
    got, at = {}, 0
    while at < len(line):
        m = re.compile(r"(p|ts|k|v|h|n)=").match(line, at)
        if not m:
            raise ValueError(f"a record's field (p= ts= k= v= h= n=) is expected at column {at + 1}: {line[at:at + 30]!r}")
        if m[1] in got:
            raise ValueError(f"field {m[1]}= twice")
        end = _end(line, m.end())
        got[m[1]] = line[m.end():end]
        at = end
        while at < len(line) and line[at] == " ":
            at += 1
    return got


def _end(line, at):
    """Where the value that begins at `at` ends."""
    if line.startswith("text:", at):
        return len(line)
    if line[at:at + 1] not in ('"', "{", "["):
        end = line.find(" ", at)
        return len(line) if end < 0 else end
    depth, quoted, i = 0, False, at
    while i < len(line):
        c = line[i]
        if quoted:
            if c == "\\":
                i += 1
            elif c == '"':
                quoted = False
        elif c == '"':
            quoted = True
        elif c in "{[":
            depth += 1
        elif c in "}]":
            depth -= 1
        i += 1
        if not quoted and depth == 0:
            return i
    raise ValueError(f"not closed: {line[at:at + 30]!r}")


def _ts(text, before):
    if text is not None and text[:1] not in ("+", "-"):
        return int(text)
    if before is None:
        return FIRST_TS
    return before + (1000 if text is None else int(text))


def _value(text, i):
    """-> bytes or None; i replaces $i unless it is None."""
    if text is None or text == "null":
        return None
    if text.startswith("hex:"):
        return bytes.fromhex(text[4:])
    if text.startswith("rep:"):
        _, count, chars = text.split(":", 2)
        return chars.encode() * int(count)
    if i is not None:
        text = text.replace("$i", str(i))
    if text.startswith("text:"):
        return text[5:].encode()
    return (json.loads(text) if text.startswith('"') else text).encode()


def _headers(text):
    pairs = json.loads(text) if text else []
    if not all(isinstance(p, list) and len(p) == 2 and isinstance(p[0], str) and isinstance(p[1], (str, type(None))) for p in pairs):
        raise ValueError(f"headers are [[name, value], ...], not {text!r}")
    out = []
    for name, value in pairs:
        if value is not None:
            value = bytes.fromhex(value[4:]) if value.startswith("hex:") else value.encode()
        out.append((name, value))
    return out


def _hex(data):
    return "-" if data is None else data.hex() or "."


# ---- running

class _Words:
    """{bootstrap}, {bootstrap:NAME}, {dir}: put in, and taken out of the output again."""

    def __init__(self, words):
        self._words = words

    def put(self, text):
        return re.sub(r"\{(bootstrap(?::\w+)?|dir)\}", lambda m: self._words.get(m[1], m[0]), text)

    def take(self, text):
        for word, value in sorted(self._words.items(), key=lambda kv: (-len(kv[1]), kv[0])):
            text = text.replace(value, "{" + word + "}")
        return text


def run_case(path, open_cluster, update=False):
    """open_cluster(name, topics, folder) is a context manager that gives a bootstrap address. AssertionError when weir is wrong."""
    case = Case(path)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weir-case-")))
        words = {"dir": str(folder)}
        for cluster in case.clusters:
            address = stack.enter_context(open_cluster(cluster, [t for t in case.topics if t.cluster == cluster], folder))
            words["bootstrap" if cluster == "main" else f"bootstrap:{cluster}"] = address
        words = _Words(words)
        for s in case.all("file"):
            name, *options = shlex.split(s.rest)
            mode = dict(o.split("=", 1) for o in options).get("mode", "600")
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(words.put(s.text) + "\n", encoding="utf-8")
            target.chmod(int(mode, 8))
        if case.one("argv"):
            argv = shlex.split(words.put(case.text("argv")))
        else:
            argv = (["-b", words.put("{bootstrap}")] if "main" in case.clusters else []) + shlex.split(words.put(case.text("args")))
        env = {"HOME": str(folder), **dict(line.split("=", 1) for line in words.put(case.text("env")).splitlines() if line)}
        timeout_s = float(case.one("timeout").rest) if case.one("timeout") else 20
        slow = 4 if "ASAN_OPTIONS" in os.environ else 1
        got = weir(*argv, stdin=words.put(case.text("script")) + "\n", env=env, cwd=folder, timeout_s=timeout_s * slow)
        out, err = words.take(got.out), words.take(got.err)

    wrong = []
    if got.timed_out:
        wrong.append(f"did not end within {timeout_s * slow:.0f} s")
    elif got.code != case.exit:
        wrong.append(f"exit code {got.code}, expected {case.exit}")
    for word, actual in (("stdout", out), ("stderr", err)):
        if case.one(word):
            wrong += [f"{word}: {text}" for text in _differences(case.one(word), actual)]
    if update and wrong and not got.timed_out and not case.one("xfail"):
        _update(case, got.code, out, err)
        left = []                        # what --update may not decide: lists of things that must or must not be there
        for word, actual in (("stdout", out), ("stderr", err)):
            if case.one(word) and case.one(word).rest == "lines":
                left += _differences(case.one(word), actual)
        wrong = left
    if case.one("xfail"):
        assert wrong, f"{case.path}: passes now; take out its section xfail ({case.one('xfail').rest})"
        return
    if wrong:
        shown = "\n".join(f"    {l}" for l in err.splitlines()[-20:])
        raise AssertionError(f"{case.path}: " + "\n".join(wrong) + f"\n  command: weir {shlex.join(argv)}\n  stderr:\n{shown}")


def _differences(section, actual):
    have, want = actual.rstrip("\n").split("\n"), section.text.split("\n")
    if section.rest == "lines":
        out = []
        for line in section.text.splitlines():
            if line.startswith("!"):
                if line[1:] in actual:
                    out.append(f"must not have {line[1:]!r}")
            elif line.startswith("~"):
                if not re.search(line[1:], actual, re.MULTILINE):
                    out.append(f"has nothing like {line[1:]!r}")
            elif line not in actual:
                out.append(f"has no {line!r}")
        return out + ([f"it was:\n{actual}"] if out else [])
    if section.rest.startswith("unordered"):
        keep = 1 if section.rest.endswith("header") else 0
        have, want = have[:keep] + sorted(have[keep:]), want[:keep] + sorted(want[keep:])
    if have == want:
        return []
    import difflib
    return ["differs (- expected, + weir):\n" + "\n".join(difflib.unified_diff(want, have, lineterm="", n=2))]


def _update(case, code, out, err):
    """Writes the file again with what weir said in its exact sections."""
    lines = list(case.intro)
    for s in case.sections:
        header = f"--- {s.word} {s.rest}".rstrip()
        body = list(s.lines)
        if s.word in ("stdout", "stderr") and s.rest != "lines":
            text = (out if s.word == "stdout" else err).rstrip("\n")
            tail = [l for l in s.lines[len(s.text.split("\n")):]] if s.text else []
            body = [("\\" + l if _HEADER.match(l) else l) for l in text.split("\n")] if text else []
            body += tail
        elif s.word == "exit":
            header = f"--- exit {code}"
        lines += [header, *body]
    if not case.one("exit") and code != 0:
        while lines and not lines[-1].strip():
            lines.pop()
        lines += [f"--- exit {code}", ""]
    if lines and lines[-1] != "":
        lines.append("")
    case.path.write_text("\n".join(lines), encoding="utf-8")

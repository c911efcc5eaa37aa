"""Programs of others that the tests run: fetched once, kept in a cache folder, moved into place whole."""
import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path


class NotToBeHad(RuntimeError):
    """This machine cannot run it; the text says what is missing."""


def cache_folder():
    return Path(os.environ.get("WEIR_TEST_CACHE") or Path.home() / ".cache" / "weir-test")


def fetched(name, make, tools=("java", "mvn")):
    """-> the folder `name` of the cache. The first time make(folder) fills it, and a second process waits for the first."""
    home = cache_folder() / name
    if home.is_dir():
        return home
    for tool in tools:
        if not shutil.which(tool):
            raise NotToBeHad(f"{tool} is not installed")
    cache_folder().mkdir(parents=True, exist_ok=True)
    with open(cache_folder() / f".{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.is_dir():
            with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=cache_folder()) as tmp:
                Path(tmp, "made").mkdir()
                make(Path(tmp, "made"))
                os.rename(Path(tmp, "made"), home)
    return home


def maven(folder, artifacts, alone=False):
    """Puts jars (group, artifact, version), and unless alone what they need, into a folder."""
    without = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>" if alone else ""
    deps = "".join(f"<dependency><groupId>{g}</groupId><artifactId>{a}</artifactId><version>{v}</version>{without}</dependency>" for g, a, v in artifacts)
    with tempfile.TemporaryDirectory() as tmp:
        Path(tmp, "pom.xml").write_text('<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>weir.test</groupId>'
                                        f"<artifactId>jars</artifactId><version>1</version><packaging>pom</packaging><dependencies>{deps}</dependencies></project>")
        patiently(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}"], tmp)


def patiently(argv, cwd):
    """Runs a fetching command up to three times: a registry may be slow or cut a transfer; what came stays in the fetcher's own cache."""
    got = None
    for _ in range(3):
        try:
            got = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
        except subprocess.TimeoutExpired:
            continue
        if got.returncode == 0:
            return
    raise NotToBeHad(f"{argv[0]} could not fetch what was asked: " + ((got.stdout + got.stderr)[-1500:] if got else "timeout"))

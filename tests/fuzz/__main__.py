"""``python -m tests.fuzz``: fuzz what anybody may send, led by what of the code each input reaches.

The corpus grows by inputs that reach something new. An input that crashes or hangs is kept beside it, and stays there
once its cause is mended: ``test_corpus.py`` plays all of them.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
#: An input that takes longer is a fault.
HANG_S = 5
INPUT_BYTES_MAX = 2000
_MEMORY_MB_MAX = 1500


def fuzz(target: str, seconds: int) -> str:
    """Fuzz a target for so long; give what it printed if it failed, else ``""``. Its corpus takes in what is new."""
    corpus = CORPUS / target
    corpus.mkdir(parents=True, exist_ok=True)
    return _fuzz(target, seconds, corpus)


def fuzz_all(seconds: int) -> str:
    """Fuzz all targets in one process, which begins from their corpora and keeps nothing."""
    with tempfile.TemporaryDirectory() as directory:
        for number, target in enumerate(TARGETS):
            for path in (CORPUS / target).iterdir():
                Path(directory, f"{number}-{path.name}").write_bytes(bytes([number]) + path.read_bytes())
        return _fuzz("all", seconds, Path(directory))


def _fuzz(target: str, seconds: int, corpus: Path) -> str:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz.one", target, str(corpus)),
            f"-max_total_time={seconds}",
            f"-timeout={HANG_S}",
            f"-rss_limit_mb={_MEMORY_MB_MAX}",
            f"-max_len={INPUT_BYTES_MAX}",
            f"-artifact_prefix={corpus}/",
            "-verbosity=0",
        ],
        cwd=CORPUS.parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.stdout.decode(errors="replace") if done.returncode else ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)} (all)")
    parser.add_argument("--seconds", type=int, default=60, help="how long each is fuzzed (60)")
    options = parser.parse_args()
    has_failed = False
    for target in options.targets or TARGETS:
        said = fuzz(target, options.seconds)
        count = sum(1 for _ in (CORPUS / target).iterdir())
        print(
            f"{target}: {'FAILED' if said else 'no fault'}, {count} inputs kept\n{said[-4000:]}", flush=True
        )
        has_failed |= bool(said)
    return has_failed


if __name__ == "__main__":
    sys.exit(main())

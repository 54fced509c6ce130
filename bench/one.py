"""One measurement in a process of its own: ``python -m bench.one NAME DIRECTORY SCALE OUTPUT [PROFILE]``."""

import contextlib
import cProfile
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from bench import disk, embedded, guests, million, outside, over_mqtt, overload, reading, ui, waiting
from bench.figures import Figure

MEASURES = {
    **embedded.MEASURES,
    **guests.MEASURES,
    **outside.MEASURES,
    **over_mqtt.MEASURES,
    **disk.MEASURES,
    **reading.MEASURES,
    **waiting.MEASURES,
    **million.MEASURES,
    **overload.MEASURES,
    **ui.MEASURES,
}
#: One that takes longer has hung.
SECONDS_MAX = 720


class Failed(Exception):
    """A measurement gave no figures."""


def measure(name: str, directory: Path, scale: float, profile: Path | None = None) -> list[Figure]:
    """Measure in a fresh process; whatever it started is gone when this returns.

    Raises:
        Failed: It broke or hung.

    """
    directory.mkdir()
    output = directory / "figures"
    command = [sys.executable, "-m", "bench.one", name, str(directory), str(scale), str(output)]
    if profile:
        command.append(str(profile / f"{name}.prof"))
    # A session of its own makes it, and all that it starts, one process group.
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        code = process.wait(SECONDS_MAX)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"not over after {SECONDS_MAX} s") from error
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if code != 0:
        raise Failed(f"ended with code {code}")
    return msgspec.json.decode(output.read_bytes(), type=list[Figure])


def main() -> None:
    name, directory, scale, output, *profile = sys.argv[1:]
    with cProfile.Profile() if profile else contextlib.nullcontext() as profiler:
        figures = MEASURES[name](Path(directory), float(scale))
    if profiler is not None:
        profiler.dump_stats(profile[0])
    Path(output).write_bytes(msgspec.json.encode(figures))


if __name__ == "__main__":
    main()

"""Each measurement at a fiftieth of its size, so that none rots; how fast it is, is no test's business."""

import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_all_measurements_give_figures(tmp_path):
    figures = tmp_path / "figures.json"
    done = subprocess.run(
        [ROOT / "script" / "bench", "--small", "--json", figures],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(figures.read_text())
    names = ["chain", "fan", "independent", "instant", "growth", "start_up", "memory", "over_http"]
    assert list(found) == ["floor", *names]
    for name, values in found.items():
        for key, value in values.items():
            # Memory may have been taken back meanwhile, and an idle system may use no time at all.
            assert value > 0 or key in ("bytes_per_task", "idle_cpu_percent"), f"{name}.{key} is {value}"
        assert name in done.stdout

"""``python -m tests.fuzz.one TARGET [libFuzzer's arguments]``: fuzz one target, or with ``all`` each in turn, for ``python -m tests.fuzz``."""

import sys

import atheris

# Comparisons of texts lead the fuzzer too.
atheris.enabled_hooks.add("str")
#: What reads the inputs; to prepare all else would take longer than a short run.
_READERS = [
    "propeller.api.file_check",
    "propeller.core.cron",
    "propeller.core.expressions",
    "propeller.registry.reference",
    "propeller.runfiles",
    "propeller.runtime.component",
    "propeller.runtime.core_module",
    "propeller.runtime.outline",
    "propeller.wire",
]
with atheris.instrument_imports(include=_READERS):
    from tests.fuzz.targets import TARGETS, all_targets

if __name__ == "__main__":
    target = TARGETS.get(sys.argv.pop(1), all_targets)
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()

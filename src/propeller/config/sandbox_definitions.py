"""Settings of the resources of a proplet's machine that guests may use."""

from propeller.config import values
from propeller.config.setting import Setting

#: One page of Wasm: a memory is made of such.
_MEMORY_LEAST = "64KiB"

SANDBOX: tuple[Setting, ...] = (
    Setting(
        key="dirs",
        read=values.paths,
        text="Directories that every task may read and write, separated by colons.",
    ),
    Setting(
        key="allow_dirs",
        read=values.directories,
        text="*Extension.* Directories that tasks may ask for, with all below them: `/data:rw,/models`.",
    ),
    Setting(
        key="allow_http",
        read=values.host_rules,
        text="*Extension.* Hosts that tasks may ask to send requests to: `*.example.com`; `*` for all.",
    ),
    Setting(
        key="http_enabled",
        read=values.boolean,
        default=False,
        text="Let components serve HTTP on ports of this machine.",
    ),
    Setting(
        key="http_proxy_port",
        read=values.whole(1, 65436),
        default=8222,
        text="The first port for such components, if a task names none; 99 more are tried.",
    ),
    Setting(
        key="task_timeout",
        read=values.duration(may_be_zero=True),
        default="24h",
        text="*Extension.* Timeout of a task that names none; 0 for none.",
    ),
    Setting(
        key="task_timeout_max",
        read=values.duration(may_be_zero=True),
        default="0s",
        text="*Extension.* Longest timeout of a task, also of one that names none; 0 for any.",
    ),
    Setting(
        key="task_memory",
        read=values.size(least=_MEMORY_LEAST),
        default="512MiB",
        text="*Extension.* Memory of a task that names no limit.",
    ),
    Setting(
        key="task_memory_max",
        read=values.size(least=_MEMORY_LEAST),
        default="4GiB",
        text="*Extension.* Most memory of a task, also of one that names no limit.",
    ),
    Setting(
        key="task_output",
        read=values.size(least="1"),
        default="1MiB",
        text="*Extension.* Standard output that is kept as the result of a task that names no limit.",
    ),
    Setting(
        key="compile_timeout",
        read=values.duration(),
        default="60s",
        text="*Extension.* How long compiling a module may take; above 16 MiB in proportion to its size.",
    ),
)

"""The messages that the contract prints (``mqtt``, sections 3 to 5), recorded as they stand there."""

import json
from typing import Any

#: From a manager, by topic.
FROM_MANAGER: dict[str, str] = {
    "control/manager/start": (
        '{"id":"task-001","name":"main","state":0,"image_url":"docker.io/acme/sum:v1","file":"AGFzbQEAAAA=",'
        '"inputs":["10","20"],"cli_args":["--invoke","main"],"broadcast":false,"daemon":false,"latent":false,'
        '"env":{"K":"V"},"encrypted":false,"kbs_resource_path":"default/key/k1","monitoring_profile":{'
        '"enabled":true,"interval":5,"collect_cpu":true,"collect_memory":true,"collect_disk_io":true,'
        '"collect_threads":true,"collect_file_descriptors":true,"export_to_mqtt":true,"retain_history":true,'
        '"history_size":100},"proplet_id":"P1","hal_storage_path":"/var/hal/t1",'
        '"parent_results":{"task-000":"30\\n"}}'
    ),
    "control/manager/stop": '{"broadcast":false,"id":"task-001","proplet_id":"P1"}',
    "control/manager/invoke": (
        '{"broadcast":false,"id":"task-9","inputs":["\\"world\\""],"invocation_id":"5f3c","proplet_id":"P1",'
        '"env":{"GREETING":"hola"}}'
    ),
}
#: From a manager: what a start has always, with the values of a task that says nothing more.
BARE_START: dict[str, Any] = {
    "id": "task-001",
    "name": "main",
    "state": 0,
    "cli_args": None,
    "broadcast": False,
    "daemon": False,
    "latent": False,
    "encrypted": False,
    "proplet_id": "P1",
}
#: From proplets that send every key: a name, the topic, the message.
FROM_PROPLETS: dict[str, tuple[str, str]] = {
    "create": (
        "control/proplet/create",
        (
            '{"proplet_id":"P1","namespace":"default","metadata":{"description":"gw","tags":["edge"],'
            '"location":"rack-1","ip":"10.0.0.7","environment":"docker","os":"linux","hostname":"gw1",'
            '"cpu_arch":"x86_64","total_memory_bytes":8589934592,"proplet_version":"0.5.0",'
            '"wasm_runtime":"wasmtime-internal"}}'
        ),
    ),
    "alive": ("control/proplet/alive", '{"proplet_id":"P1","status":"alive","namespace":"default"}'),
    "result": (
        "control/proplet/results",
        '{"task_id":"task-001","proplet_id":"P1","results":"30\\n","error":null}',
    ),
    "failure": (
        "control/proplet/results",
        '{"task_id":"task-001","proplet_id":"P1","results":"","error":"Failed to compile module"}',
    ),
    "result of an invocation": (
        "control/proplet/invoke_results",
        (
            '{"task_id":"task-9","invocation_id":"5f3c","proplet_id":"P1","results":"\\"Hello\\"",'
            '"error":null}'
        ),
    ),
    "metrics": (
        "control/proplet/metrics",
        (
            '{"proplet_id":"P1","namespace":"default","timestamp":{"secs_since_epoch":1777885811,'
            '"nanos_since_epoch":123456789},"cpu_metrics":{"user_seconds":1.2,"system_seconds":0.4,'
            '"percent":12.5},"memory_metrics":{"rss_bytes":52428800,"heap_alloc_bytes":0,"heap_sys_bytes":0,'
            '"heap_inuse_bytes":0,"container_usage_bytes":73400320,"container_limit_bytes":536870912}}'
        ),
    ),
    "task metrics": (
        "control/proplet/task_metrics",
        (
            '{"task_id":"t1","proplet_id":"P1","metrics":{"cpu_percent":1.5,"memory_bytes":4194304,'
            '"memory_percent":0.0,"disk_read_bytes":0,"disk_write_bytes":0,"uptime_seconds":10,"thread_count":4,'
            '"file_descriptor_count":12},"aggregated":{"avg_cpu_usage":1.5,"max_cpu_usage":2.0,'
            '"avg_memory_usage":4194304,"max_memory_usage":4194304,"total_disk_read":0,"total_disk_write":0,'
            '"sample_count":2},"timestamp":{"secs_since_epoch":1777885811,"nanos_since_epoch":0}}'
        ),
    ),
    "request for an image": ("registry/proplet", '{"app_name":"docker.io/acme/sum:v1"}'),
}
#: From proplets that leave something out, as the contract lets them: a name, the topic, the message.
SHORTER: dict[str, tuple[str, str]] = {
    "will": ("control/proplet/alive", '{"status":"offline","proplet_id":"P1","namespace":"embedded"}'),
    "will of a manager": ("control/proplet/alive", '{"status":"offline","proplet_id":"M1"}'),
    "create without system information": (
        "control/proplet/create",
        (
            '{"proplet_id":"P1","namespace":"default","metadata":{"environment":"","os":"","cpu_arch":"",'
            '"total_memory_bytes":0,"proplet_version":"0.5.0","wasm_runtime":"wasmtime-internal"}}'
        ),
    ),
    "result of a device": ("control/proplet/results", '{"task_id":"t","results":"30"}'),
    "failure of a device": ("control/proplet/results", '{"task_id":"t","error":"no memory"}'),
    "federated update": (
        "control/proplet/results",
        (
            '{"task_id":"t","results":{"task_id":"t","round_id":"r1","proplet_id":"P1","num_samples":1,'
            '"update_b64":"AAAA","format":"f32-delta","metrics":{}},"error":null}'
        ),
    ),
    "task metrics without history": (
        "control/proplet/task_metrics",
        (
            '{"task_id":"t1","proplet_id":"P1","metrics":{"cpu_percent":1.5,"memory_bytes":4194304,'
            '"memory_percent":0.0,"disk_read_bytes":0,"disk_write_bytes":0,"uptime_seconds":10,"thread_count":4},'
            '"aggregated":null,"timestamp":{"secs_since_epoch":1777885811,"nanos_since_epoch":0}}'
        ),
    ),
    "metrics without a container": (
        "control/proplet/metrics",
        (
            '{"proplet_id":"P1","namespace":"default","timestamp":93001,"cpu_metrics":{"user_seconds":1,'
            '"system_seconds":0,"percent":0},"memory_metrics":{"rss_bytes":1,"heap_alloc_bytes":0,'
            '"heap_sys_bytes":0,"heap_inuse_bytes":0,"container_usage_bytes":null,"container_limit_bytes":null}}'
        ),
    ),
}
#: What the registry sends, by topic.
FROM_REGISTRY: dict[str, str] = {
    "registry/server": (
        '{"app_name":"docker.io/acme/sum:v1","chunk_idx":0,"total_chunks":4,"data":"AGFzbQEAAAA="}'
    )
}


def body_of(text: str) -> Any:
    return json.loads(text)

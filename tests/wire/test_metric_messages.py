"""What proplets measure: word for word as the contract prints it, and with all three ways to tell the time."""

import json

import pytest

from propeller.wire.fleet.codec import from_line, to_line
from propeller.wire.fleet.metrics import (
    Aggregated,
    CpuMetrics,
    MemoryMetrics,
    Metrics,
    SystemTime,
    TaskMetrics,
    TaskUsage,
    time_of,
)
from propeller.wire.http.samples import proplet_sample, task_sample
from propeller.wire.http.schema import encode
from propeller.wire.rfc3339 import format_time, parse_time

#: ``mqtt``, section 4.5, with the time as ours have it.
PROPLET = (
    '["control/proplet/metrics",{"proplet_id":"P1","namespace":"default","timestamp":"2026-05-04T09:10:11.5Z",'
    '"cpu_metrics":{"user_seconds":1.2,"system_seconds":0.4,"percent":12.5},"memory_metrics":{'
    '"rss_bytes":52428800,"heap_alloc_bytes":0,"heap_sys_bytes":0,"heap_inuse_bytes":0,'
    '"container_usage_bytes":73400320,"container_limit_bytes":536870912}}]\n'
)
#: ``mqtt``, section 4.6, with our fields in it.
TASK = (
    '["control/proplet/task_metrics",{"task_id":"t1","proplet_id":"P1","metrics":{"cpu_percent":1.5,'
    '"memory_bytes":4194304,"memory_percent":0.5,"disk_read_bytes":1,"disk_write_bytes":2,"uptime_seconds":10,'
    '"thread_count":4,"file_descriptor_count":12,"cpu_seconds":0.15,"wall_seconds":10.5,'
    '"peak_memory_bytes":65536},"aggregated":{"avg_cpu_usage":1.5,"max_cpu_usage":2.0,'
    '"avg_memory_usage":4194304,"max_memory_usage":4194304,"total_disk_read":0,"total_disk_write":0,'
    '"sample_count":2},"timestamp":"2026-05-04T09:10:11Z"}]\n'
)
#: As the Rust proplet sends it.
RUST = (
    '["control/proplet/task_metrics",{"task_id":"t1","proplet_id":"P1","metrics":{"cpu_percent":1.5,'
    '"memory_bytes":4194304,"memory_percent":0.0,"disk_read_bytes":0,"disk_write_bytes":0,"uptime_seconds":10,'
    '"thread_count":4,"file_descriptor_count":12},"aggregated":null,'
    '"timestamp":{"secs_since_epoch":1777885811,"nanos_since_epoch":5}}]'
)
#: As an embedded device sends it.
EMBEDDED = (
    '["control/proplet/metrics",{"proplet_id":"E","namespace":"embedded","timestamp":93001,"memory_metrics":{'
    '"heap_free_bytes":20480,"heap_max_alloc_bytes":30720}}]'
)
NOW = parse_time("2026-05-04T12:00:00Z")

METRICS = Metrics(
    proplet_id="P1",
    timestamp="2026-05-04T09:10:11.5Z",
    cpu_metrics=CpuMetrics(user_seconds=1.2, system_seconds=0.4, percent=12.5),
    memory_metrics=MemoryMetrics(
        rss_bytes=52428800, container_usage_bytes=73400320, container_limit_bytes=536870912
    ),
)
TASK_METRICS = TaskMetrics(
    task_id="t1",
    proplet_id="P1",
    metrics=TaskUsage(
        cpu_percent=1.5,
        memory_bytes=4194304,
        memory_percent=0.5,
        disk_read_bytes=1,
        disk_write_bytes=2,
        uptime_seconds=10,
        thread_count=4,
        file_descriptor_count=12,
        cpu_seconds=0.15,
        wall_seconds=10.5,
        peak_memory_bytes=65536,
    ),
    aggregated=Aggregated(
        avg_cpu_usage=1.5,
        max_cpu_usage=2.0,
        avg_memory_usage=4194304,
        max_memory_usage=4194304,
        sample_count=2,
    ),
    timestamp="2026-05-04T09:10:11Z",
)


@pytest.mark.parametrize(("message", "line"), [(METRICS, PROPLET), (TASK_METRICS, TASK)])
def test_golden_lines_in_both_directions(message, line):
    assert to_line(message).decode() == line
    assert from_line(line.encode()[:-1]) == message


def test_what_the_rust_proplet_sends():
    message = from_line(RUST.encode())
    assert message.aggregated is None
    shown = json.loads(encode(task_sample(message, NOW)))
    assert shown["timestamp"] == "2026-05-04T09:10:11.000000005Z"
    assert list(shown) == ["task_id", "proplet_id", "metrics", "timestamp"]
    assert list(shown["metrics"])[-1] == "file_descriptor_count", "what is ours is not made up"


def test_what_an_embedded_device_sends():
    shown = json.loads(encode(proplet_sample(from_line(EMBEDDED.encode()), NOW)))
    assert shown["timestamp"] == format_time(NOW)
    assert shown["memory_metrics"] == {
        "rss_bytes": 0,
        "heap_alloc_bytes": 0,
        "heap_sys_bytes": 0,
        "heap_inuse_bytes": 0,
        "heap_free_bytes": 20480,
        "heap_max_alloc_bytes": 30720,
    }


def test_samples_are_shown_in_the_order_of_the_contract():
    assert list(json.loads(encode(proplet_sample(METRICS, NOW)))) == [
        "proplet_id",
        "namespace",
        "timestamp",
        "cpu_metrics",
        "memory_metrics",
    ]
    assert list(json.loads(encode(task_sample(TASK_METRICS, NOW)))) == [
        "task_id",
        "proplet_id",
        "metrics",
        "aggregated",
        "timestamp",
    ]


def test_no_file_descriptors_are_left_out():
    message = TaskMetrics(task_id="t", proplet_id="p", metrics=TaskUsage(file_descriptor_count=0))
    assert "file_descriptor_count" not in json.loads(encode(task_sample(message, NOW)))["metrics"]


@pytest.mark.parametrize(
    ("timestamp", "shown"),
    [
        ("2026-05-04T09:10:11.5Z", "2026-05-04T09:10:11.5Z"),
        ("2026-05-04T11:10:11.123456789123+02:00", "2026-05-04T09:10:11.123456789Z"),
        (SystemTime(1777885811, 123456789), "2026-05-04T09:10:11.123456789Z"),
        (SystemTime(1777885811), "2026-05-04T09:10:11Z"),
        (93001, "2026-05-04T12:00:00Z"),
        (93001.5, "2026-05-04T12:00:00Z"),
        (None, "2026-05-04T12:00:00Z"),
        ("0001-01-01T00:00:00Z", "2026-05-04T12:00:00Z"),
        ("yesterday", "2026-05-04T12:00:00Z"),
        ("2026-13-04T09:10:11Z", "2026-05-04T12:00:00Z"),
        ("2099-05-04T09:10:11Z", "2026-05-04T12:00:00Z"),
        (SystemTime(2**80), "2026-05-04T12:00:00Z"),
        (SystemTime(-5), "2026-05-04T12:00:00Z"),
    ],
)
def test_when_it_was_measured(timestamp, shown):
    assert format_time(time_of(timestamp, NOW)) == shown


@pytest.mark.parametrize("text", ["2026-05-04T09:10:11.5Z", "1970-01-01T00:00:00.000000001Z"])
def test_a_time_is_written_as_it_was_read(text):
    assert format_time(parse_time(text)) == text

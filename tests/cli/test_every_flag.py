"""Every flag of the commands that talk to a manager, or prepare a system, has an effect.

Those of the programs are in ``tests/config/test_every_setting.py``.
"""

import re

import pytest
from typer.testing import CliRunner

from propeller.cli.demo import _Player
from propeller.cli.main import app
from propeller.cli.tasks import FIELDS
from propeller.client.api import Client
from tests.builders import ADDITION
from tests.config.effects_helpers import commands, flags_of, source_of

HTTPS = "tests/e2e/fleet/test_https.py::test_who_asks_checks_the_certificate_unless_he_says_not_to"
SHOWN = "tests/e2e/fleet/test_https.py::test_a_command_shows_a_certificate_where_the_manager_asks_for_one"
TLS = "tests/config/test_provision_tls.py::test_flags_that_do_not_go_together_are_refused_and_nothing_is_written"
CLIENT = "tests/config/test_provision_tls.py::test_a_client_is_added_by_a_command"
CLI = "tests/cli/test_"
#: The tests that see the effects of the flags of all other commands. Those of fields are sent below.
SEEN = {
    "--all": f"{CLI}bulk.py::test_several_are_stopped_and_deleted_at_once",
    "--arg": f"{CLI}commands.py::test_run_gives_arguments_and_environment_as_they_are",
    "--as-cosign": f"{CLI}signing.py::test_openssl_and_propeller_know_each_others_signatures_on_p256",
    "--attempt": f"{CLI}logs.py::test_many_pieces_are_all_printed",
    "--ca-cert": HTTPS,
    "--client-cert": SHOWN,
    "--client-key": SHOWN,
    "--created-by": f"{CLI}namespaces.py::test_what_is_created_and_listed_is_of_the_namespace_that_is_said",
    "--data-dir": f"{CLI}db.py::test_a_directory_without_one",
    "--database": f"{CLI}db.py::test_from_sqlite_to_postgres_and_back",
    "--detach": f"{CLI}commands.py::test_detached_workflow",
    "--dir": "tests/e2e/local/test_external.py::test_a_directory_is_an_option_and_held_to_what_the_owner_allows",
    "--ended": f"{CLI}groups.py::test_one_is_cloned_shown_found_and_deleted",
    "--expires": f"{CLI}tokens.py::test_tokens_are_made_listed_and_revoked",
    "--follow": f"{CLI}logs.py::test_a_task_is_followed_to_its_end",
    "--force": f"{CLI}provision.py::test_what_is_there_stays",
    "--from": f"{CLI}groups.py::test_one_is_run_again_and_keeps_its_good_results",
    "--idempotency-key": f"{CLI}idempotency_key.py::test_a_start_that_is_typed_again_runs_once",
    "--install": f"{CLI}completing.py::test_a_shell_completes_commands",
    "--job": f"{CLI}naming.py::test_a_list_takes_as_many_pages_as_it_needs",
    "--json": f"{CLI}bulk.py::test_several_are_stopped_and_deleted_at_once",
    "--key": f"{CLI}signing.py::test_a_module_is_signed_and_its_signature_is_checked",
    "--label": f"{CLI}groups.py::test_one_is_cloned_shown_found_and_deleted",
    "--limit": f"{CLI}naming.py::test_lists_are_filtered_and_the_newest_comes_first",
    "--manager-url": f"{CLI}commands.py::test_flags_count_before_and_after_a_command",
    "--max-parallel": f"{CLI}groups.py::test_one_is_cloned_shown_found_and_deleted",
    "--module": f"{CLI}commands.py::test_the_same_file_runs_twice_and_answers_in_json",
    "--mtls": CLIENT,
    "--mqtt-address": f"{CLI}provision.py::test_wrong_uses",
    "--name": f"{CLI}bulk.py::test_several_are_stopped_and_deleted_at_once",
    "--namespace": f"{CLI}namespaces.py::test_what_is_created_and_listed_is_of_the_namespace_that_is_said",
    "--namespaces": f"{CLI}tokens.py::test_tokens_are_made_listed_and_revoked",
    "--oidc": f"{CLI}oidc.py::test_somebody_signs_in_with_a_code_and_stays_signed_in",
    "--offset": f"{CLI}naming.py::test_lists_are_filtered_and_the_newest_comes_first",
    "--output": f"{CLI}commands.py::test_results_that_are_no_text_come_whole",
    "--proplet": f"{CLI}search.py::test_tasks_are_found_by_what_they_are_called_and_where_they_ran",
    "--pause": f"{CLI}schedules.py::test_a_schedule_is_shown_paused_and_resumed",
    "--proplets": f"{CLI}provision.py::test_from_nothing_to_a_fleet",
    "--resume": f"{CLI}schedules.py::test_a_schedule_is_shown_paused_and_resumed",
    "--role": f"{CLI}tokens.py::test_tokens_are_made_listed_and_revoked",
    "--san": TLS,
    "--search": f"{CLI}search.py::test_tasks_are_found_by_what_they_are_called_and_where_they_ran",
    "--signature": f"{CLI}signing.py::test_a_module_is_signed_and_its_signature_is_checked",
    "--since": f"{CLI}naming.py::test_lists_are_filtered_and_the_newest_comes_first",
    "--state": f"{CLI}naming.py::test_lists_are_filtered_and_the_newest_comes_first",
    "--stream": f"{CLI}logs.py::test_each_stream_is_printed_to_the_same_one",
    "--tail": f"{CLI}logs.py::test_each_stream_is_printed_to_the_same_one",
    "--tasks": f"{CLI}commands.py::test_job_with_json",
    "--tasks-file": f"{CLI}commands.py::test_tasks_from_a_file_and_from_standard_input",
    "--tls": TLS,
    "--tls-verification": HTTPS,
    "--token-file": f"{CLI}tokens.py::test_a_token_comes_from_a_variable_or_a_file",
    "--until": f"{CLI}groups.py::test_one_is_cloned_shown_found_and_deleted",
    "--uri": CLIENT,
    "--version": f"{CLI}commands.py::test_version_and_help",
    "--wait": f"{CLI}service_verbs.py::test_a_drain_can_be_waited_for",
    "--what": f"{CLI}groups.py::test_one_is_run_again_and_keeps_its_good_results",
    "--workflow": f"{CLI}naming.py::test_lists_are_filtered_and_the_newest_comes_first",
    "--yes": f"{CLI}bulk.py::test_several_are_stopped_and_deleted_at_once",
}
#: How a flag is written in those tests, where that is not its long name.
WRITTEN = {"--manager-url": '"-m"', "--output": '"-o"', "--install": "install", "--limit": '"-l"'}
#: Flags of fields and of grants, whose values the tests below look for in the request.
SENT = {f"--{name.replace('_', '-')}" for name in FIELDS} | {
    "--http",
    "--listen",
    "--seed",
    "--execution-mode",
}

PROGRAMS = ("up", "manager", "proplet", "proxy")
OTHERS = sorted(
    {
        flag
        for path, found in commands()
        if path[:1] not in {(name,) for name in PROGRAMS}
        for flag in flags_of(found)
    }
)


def test_no_entry_is_left_over():
    assert {*SEEN, *SENT, *HERE} >= {*OTHERS}, "say here where its effect is seen"
    assert {*SEEN} <= {*OTHERS}


@pytest.mark.parametrize("flag", SEEN)
def test_a_test_sees_what_each_flag_does(flag):
    """It stands there as a whole, and not as the beginning of another."""
    words = re.escape(WRITTEN.get(flag, flag))
    assert re.search(words + r"(?![\w-])", source_of(SEEN[flag]))


@pytest.fixture
def asked(monkeypatch):
    """The requests of one command, and what it wrote on standard error; the manager says what it was told."""
    requests = []

    def request(_, method, path, *, query=None, **body):
        requests.append((method, path, query, body.get("json")))
        id_ = path.removeprefix("/proplets/") if path.startswith("/proplets/") else "t"
        return {"id": id_, "state": 0, "proplets": [], "jobs": [], **(body.get("json") or {})}

    monkeypatch.setattr(Client, "request", request)

    def ask(*words):
        requests.clear()
        done = CliRunner().invoke(app, [*words, "--json"])  # what it makes of the answer is not looked at
        return requests[:], done.stderr

    return ask


#: What each flag of a task puts into the request.
TASK = {
    "--image-url": ("registry.example/x", "image_url", "registry.example/x"),
    "--cli-args": ("-v,x", "cli_args", ["-v", "x"]),
    "--signature": ("in.txt", "signature", "input"),
    "--inputs": ("1,a", "inputs", [1, "a"]),
    "--stdin": ("in.txt", "stdin", "input"),
    "--env": ("A=b", "env", {"A": "b"}),
    "--daemon": ("", "daemon", True),
    "--latent": ("", "latent", True),
    "--encrypted": ("", "encrypted", True),
    "--kbs-resource-path": ("k", "kbs_resource_path", "k"),
    "--proplet-id": ("p", "proplet_id", "p"),
    "--required-tags": ("gpu,eu", "required_tags", ["gpu", "eu"]),
    "--broadcast": ("", "broadcast", True),
    "--run-if": ("results.a == 1", "run_if", "results.a == 1"),
    "--priority": ("7", "priority", 7),
    "--mode": ("train", "mode", "train"),
    "--kind": ("federated", "kind", "federated"),
    "--schedule": ("* * * * *", "schedule", "* * * * *"),
    "--timezone": ("UTC", "timezone", "UTC"),
    "--is-recurring": ("", "is_recurring", True),
    "--schedule-options": (
        "overlap=queue,jitter=30s",
        "schedule_options",
        {"overlap": "queue", "jitter": "30s"},
    ),
    "--metadata": ("team=ops", "metadata", {"team": "ops"}),
    "--timeout": ("7s", "timeout", "7s"),
    "--retry": (
        "max_attempts=7,delay=2s,on=trap,fuel",
        "retry",
        {"max_attempts": 7, "delay": "2s", "on": ["trap", "fuel"]},
    ),
    "--deadline": ("7m", "deadline", "7m"),
    "--queue-timeout": ("8m", "queue_timeout", "8m"),
    "--limits": ("fuel=7", "limits", {"fuel": 7}),
    "--grants": ('{"listen":true}', "grants", {"listen": True}),
    "--file": ("m.wasm", "file", None),
}


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.txt").write_text("input")
    (tmp_path / "m.wasm").write_bytes(ADDITION)


@pytest.mark.parametrize("flag", [f"--{name.replace('_', '-')}" for name in FIELDS])
def test_a_flag_of_a_task_is_sent(asked, files, flag):
    raw, field, wanted = TASK[flag]
    for words in (("tasks", "create", "main"), ("tasks", "update", "t")):
        requests, _ = asked(*words, flag, *([raw] if raw else []))
        sent = next(body for _, _, _, body in requests if body is not None)
        assert field in sent, words
        assert wanted is None or sent[field] == wanted


def test_a_flag_of_a_run_is_sent(asked, files):
    flags = [
        "--http",
        "a.test",
        "--seed",
        "7",
        "--limit",
        "fuel=9",
        "--timeout",
        "8s",
        "--listen",
        "--env",
        "A=b",
    ]
    requests, _ = asked("run", "m.wasm", *flags, "--stdin", "in.txt", "--name", "f")
    sent = requests[0][3]
    assert sent["grants"] == {"http": ["a.test"], "random": 7, "listen": True}
    assert (sent["limits"], sent["timeout"], sent["env"], sent["stdin"], sent["name"]) == (
        {"fuel": 9},
        "8s",
        {"A": "b"},
        "input",
        "f",
    )


def test_a_flag_of_a_list_or_a_job_is_sent(asked):
    requests, _ = asked("proplets", "list", "--status", "active")
    assert requests[0][2]["status"] == "active"
    requests, _ = asked(
        "jobs", "create", "--name", "n", "--execution-mode", "parallel", "--tasks", '[{"name":"f"}]'
    )
    assert requests[0][3]["execution_mode"] == "parallel"
    requests, _ = asked("jobs", "create", "--name", "n", "--no-fail-fast", "--tasks", '[{"name":"f"}]')
    assert requests[0][3]["fail_fast"] is False
    for command in (("workflows", "create"), ("jobs", "create", "--name", "n")):
        flags = ("--timeout", "7m", "--defaults", '{"deadline":"1m"}', "--tasks", '[{"name":"f"}]')
        sent = asked(*command, *flags)[0][0][3]
        assert (sent["timeout"], sent["defaults"]) == ("7m", {"deadline": "1m"})
        flags = ("--schedule", "@daily", "--timezone", "Asia/Tokyo", "--no-is-recurring")
        flags += ("--schedule-options", "catch_up=all", "--tasks", '[{"name":"f"}]')
        sent = asked(*command, *flags)[0][0][3]
        assert (sent["schedule"], sent["timezone"], sent["is_recurring"]) == ("@daily", "Asia/Tokyo", False)
        assert sent["schedule_options"] == {"catch_up": "all"}


def test_a_flag_of_the_existing_command_line_that_means_nothing_here_is_told(asked):
    _, said = asked("tasks", "view", "t", "--atom-url", "http://identity.example")
    assert "--atom-url has no effect" in said


def test_provision_tells_the_manager_of_foreign_proplets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["provision", "--foreign", "1", "--file-name", "fleet.toml"])
    assert done.exit_code == 0, done.output
    assert "allow_foreign" in (tmp_path / "fleet.toml").read_text()


@pytest.mark.parametrize("whole", [False, True])
def test_the_demo_shows_answers_in_full_where_it_is_asked_to(asked, tmp_path, monkeypatch, whole):
    player = _Player("http://localhost:1", tmp_path, whole=whole)
    with player.console.capture() as shown:
        player.curl("GET", "/tasks/t", quiet=True)
    assert ("… shortened" in shown.get()) is not whole


#: Flags whose effect is seen in a test of this file by itself.
HERE = {"--status", "--fail-fast", "--defaults", "--atom-url", "--foreign", "--file-name", "--whole"}

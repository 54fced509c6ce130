"""Secrets on the command line, and in files with a workflow."""

import json

VALUE = "correct horse"
FILE = """
name: with-a-secret
module: addition.wat
tasks:
  - {id: a, name: main, inputs: [1, 2], env: {API_KEY: {secret: IN_FILE}}}
"""


def answered(run, *words, stdin=None):
    done = run(*words, "--json", stdin=stdin)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout or "null")


def test_a_secret_is_set_from_input_or_a_file_and_never_shown(shell):
    (shell.work / "value").write_text(f"{VALUE}\r\n")
    said = [answered(shell, "secrets", "set", "KEY", stdin=f"{VALUE}\n")]
    said.append(answered(shell, "secrets", "set", "KEY", "--file", "value"))
    assert [one["version"] for one in said] == [1, 2]
    assert shell("secrets", "set", "KEY", "--file", "value").stdout == "ok\n"
    listed = shell("secrets", "list").stdout
    assert "KEY" in listed
    assert [one["version"] for one in answered(shell, "secrets", "history", "KEY")["versions"]] == [3, 2, 1]
    assert "VERSION" in shell("secrets", "history", "KEY").stdout
    assert answered(shell, "secrets", "rekey")["secrets"] >= 1
    assert shell("secrets", "delete", "KEY").returncode == 0
    assert "KEY" not in shell("secrets", "list").stdout
    assert VALUE not in f"{said} {listed}"


def test_what_can_be_no_secret_is_refused(shell):
    (shell.work / "bytes").write_bytes(b"\xff\xfe\xfd\xfc")
    for words, why in (
        (("--file", "nowhere"), "--file: nowhere can't be read: No such file or directory"),
        (("--file", "bytes"), "the value is no text in UTF-8; write other bytes as base64"),
    ):
        done = shell("secrets", "set", "BAD", *words)
        assert done.returncode == 1
        assert why in done.stderr
    assert "fewer than 4 characters" in shell("secrets", "set", "BAD", stdin="abc\n").stderr


def test_a_task_in_a_file_gets_a_secret(shell):
    (shell.work / "secret.yaml").write_text(FILE)
    done = shell("workflows", "run", "secret.yaml")
    assert "there is no secret IN_FILE in namespace default" in done.stderr
    answered(shell, "secrets", "set", "IN_FILE", stdin=VALUE)
    done = shell("workflows", "run", "secret.yaml")
    assert done.returncode == 0, done.stderr
    uses = answered(shell, "secrets", "history", "IN_FILE")["uses"]
    assert [use["version"] for use in uses] in ([], [1])  # written within a second

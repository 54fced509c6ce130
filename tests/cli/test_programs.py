"""The commands of the single programs: what they show of their settings, and what they complain of."""

import os
import subprocess
import sys
import tomllib

import pytest

IDENTITY = {"TENANT_ID": "t", "CHANNEL_ID": "c", "ENTITY_ID": "e", "API_KEY": "hush"}


@pytest.fixture
def propeller(tmp_path):
    def run(*arguments, **variables):
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.run(
            [sys.executable, "-m", "propeller", *arguments],
            cwd=tmp_path,
            env=kept | variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def identity(name):
    return {f"{name.upper()}_{key}": value for key, value in IDENTITY.items()}


def test_each_value_is_shown_with_its_source(propeller, tmp_path):
    (tmp_path / "config.toml").write_text('[manager]\nmqtt_qos = 1\nplacement = "least-loaded"\n')
    (tmp_path / "config.toml").chmod(0o600)
    variables = identity("manager") | {"MANAGER_MQTT_QOS": "0", "MANAGER_LIVENESS": "90"}
    done = propeller("manager", "--http-port=80", "--show-config", **variables)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "http_port = 80  # --http-port" in lines
    assert "mqtt_qos = 0  # MANAGER_MQTT_QOS" in lines
    assert 'placement = "least-loaded"  # config.toml [manager] placement' in lines
    assert 'liveness = "1m30s"  # MANAGER_LIVENESS' in lines
    assert 'log_level = "info"  # default' in lines
    assert "hush" not in done.stdout
    assert tomllib.loads(done.stdout)["manager"]["entity_id"] == "e"


@pytest.mark.parametrize("name", ["manager", "proplet", "proxy"])
def test_who_has_no_identity_sees_the_rest_and_is_told_how_to_get_one(propeller, name):
    done = propeller(name, "--show-config", "--log-level", "warn")
    assert done.returncode == 1
    assert 'log_level = "warn"  # --log-level' in done.stdout
    assert f"error: the {name} has no tenant_id ({name.upper()}_TENANT_ID)" in done.stderr
    assert "propeller provision" in done.stderr


def test_a_wrong_flag_is_a_wrong_use_and_a_wrong_variable_a_failure(propeller):
    done = propeller("proxy", "--mqtt-qos", "3")
    assert done.returncode == 2
    assert "--mqtt-qos: '3' is out of range; write a number from 0 to 2" in done.stderr
    done = propeller("proxy", PROXY_MQTT_QOS="3")
    assert (done.returncode, done.stdout) == (1, "")
    assert "error: PROXY_MQTT_QOS: '3' is out of range" in done.stderr


def test_switches_are_flags(propeller):
    done = propeller("proplet", "--show-config", "--no-enable-monitoring", **identity("proplet"))
    assert "enable_monitoring = false  # --enable-monitoring" in done.stdout
    done = propeller("proplet", "--show-config", "--collect-system-info=false", **identity("proplet"))
    assert "collect_system_info = false  # --collect-system-info" in done.stdout


def test_another_file_and_another_section(propeller, tmp_path):
    lines = "".join(f'{key.lower()} = "{value}"\n' for key, value in IDENTITY.items())
    (tmp_path / "fleet.toml").write_text(f"[proplet1]\n{lines}[proplet2]\n{lines}slots = 9\n")
    done = propeller("proplet", "--config", "fleet.toml")
    assert done.returncode == 1
    assert "no section [proplet], but [proplet1], [proplet2]; choose one with --section" in done.stderr
    done = propeller("proplet", "--config", "fleet.toml", "--section", "proplet2", "--show-config")
    assert done.returncode == 0
    assert tomllib.loads(done.stdout)["proplet2"]["slots"] == 9


def test_what_has_no_effect_is_told(propeller):
    done = propeller("manager", "--show-config", MANAGER_HTTP_PROT="80", **identity("manager"))
    assert done.returncode == 0
    assert "warning: MANAGER_HTTP_PROT has no effect in this version; did you mean" in done.stderr


def test_no_flag_takes_a_secret(propeller):
    help_text = propeller("proxy", "--help").stdout
    assert "--registry-username" in help_text
    for secret in ("--api-key", "--registry-password", "--registry-token"):
        assert secret not in help_text


def test_up_at_a_broker_needs_the_identity_of_a_manager(propeller):
    done = propeller("up", "--mqtt", "tcp://localhost:1883")
    assert done.returncode == 1
    assert "the manager has no tenant_id" in done.stderr
    assert "propeller provision" in done.stderr
    done = propeller("up", "--compile-timeout", "long")
    assert "--compile-timeout: 'long' is no duration" in done.stderr
    done = propeller("up", "--mqtt", "ws://localhost")
    assert done.returncode == 2
    assert "'--mqtt': 'ws://localhost' has to begin with tcp://" in done.stderr
    assert propeller("up", "--mqtt", "broker", "--config", "no.toml").stderr.startswith(
        "error: no.toml: there is no such file"
    )


def test_what_is_set_of_a_manager_holds_for_up_too(propeller, tmp_path):
    """A server that has no TLS although a certificate is named is the worst case."""
    for variables, complaint in (
        ({"MANAGER_HTTP_SERVER_CERT": __file__}, "MANAGER_HTTP_SERVER_KEY: give both or neither"),
        (
            {"MANAGER_HTTP_CLIENT_CA_CERTS": __file__},
            "MANAGER_HTTP_CLIENT_CA_CERTS: the CAs of clients are named by",
        ),
        ({"MANAGER_STORAGE_TYPE": "badger"}, "MANAGER_STORAGE_TYPE: badger is not available"),
    ):
        done = propeller("up", **variables)
        assert (done.returncode, complaint in done.stderr) == (1, True), done.stderr
    (tmp_path / "config.toml").write_text('[manager]\nliveness = "48h"\n')
    done = propeller("up", "--job-mode", "parallel", MANAGER_LOG_LEVEL="debug")
    assert done.returncode == 1
    assert "MANAGER_FORGET_AFTER: has to be longer than MANAGER_LIVENESS" in done.stderr
    assert "MANAGER_LOG_LEVEL has no effect here: this manager logs warnings" in done.stderr
    assert done.stderr.count("config.toml holds keys") == 1
    done = propeller("up", "--keep-ended", "0s", "--job-mode", "fast")
    assert done.returncode == 2


def idle(done):
    """What a program says of settings that have no effect, in lines."""
    return [line for line in done.stderr.splitlines() if "no effect here" in line]


def test_up_warns_of_what_is_set_of_a_broker_that_it_does_not_use(propeller):
    """The command ends at once, as two settings do not go together."""
    quickly = {"MANAGER_LIVENESS": "48h"}
    assert idle(propeller("up", **quickly)) == []
    done = propeller("up", MANAGER_ALLOW_FOREIGN="a", **quickly)
    assert idle(done) == ["warning: MANAGER_ALLOW_FOREIGN has no effect here: give --mqtt ADDRESS"]
    variables = {"MANAGER_MQTT_ADDRESS": "tcp://far", "PROPLET_MQTT_QOS": "1"} | identity("manager")
    done = propeller("up", **quickly, **variables)
    names = "MANAGER_MQTT_ADDRESS, MANAGER_TENANT_ID, MANAGER_CHANNEL_ID, MANAGER_ENTITY_ID, MANAGER_API_KEY"
    of_proplets = (
        "warning: PROPLET_MQTT_QOS has no effect here: these proplets need no broker to reach their manager"
    )
    assert idle(done) == [of_proplets, f"warning: {names} have no effect here: give --mqtt ADDRESS"]
    done = propeller("up", "--mqtt", "tcp://far", **quickly, **variables)
    assert idle(done) == [of_proplets]


def test_up_warns_of_what_has_no_effect_in_a_file_that_is_meant_for_it(propeller, tmp_path):
    """The file that is there anyway is likely to be for a fleet, and so is what proplets need at a broker."""
    text = (
        '[manager]\nliveness = "48h"\nlog_level = "debug"\nmqtt_qos = 1\n'
        '[proplet]\nfetch = "direct"\ndata_dir = "/far"\nmqtt_qos = 1\n'
    )
    (tmp_path / "config.toml").write_text(text)
    assert idle(propeller("up")) == []
    (tmp_path / "fleet.toml").write_text(text)
    told = [
        "fleet.toml [proplet] data_dir has no effect here: the proplets' data is in",
        "fleet.toml [proplet] fetch has no effect here: these proplets always fetch",
        "fleet.toml [manager] log_level has no effect here: this manager logs warnings",
        "fleet.toml [manager] mqtt_qos has no effect here: give --mqtt ADDRESS",
    ]
    by_flag = idle(propeller("up", "--config", "fleet.toml"))
    assert [line.startswith(f"warning: {start}") for line, start in zip(by_flag, told, strict=True)] == [
        True
    ] * 4
    named = {"MANAGER_CONFIG_FILE": "fleet.toml", "PROPLET_CONFIG_FILE": "fleet.toml"}
    assert idle(propeller("up", **named)) == by_flag

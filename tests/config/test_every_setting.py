"""Every setting of every program, and every flag of the programs, has an effect.

Each has an entry in ``entries_helpers.py``, and one without fails. That a value is read is no effect: for
each setting, what the program is put together from has to differ from the default too.
"""

import re
from pathlib import Path

import pytest
from tests.config.effects_helpers import commands, flags_of, source_of
from tests.config.entries_helpers import ENTRIES, Here, build, environ_of
from typer.testing import CliRunner

from propeller.cli.main import app
from propeller.cli.up import _OF_BROKER, _OF_OTHERS
from propeller.config.definitions import MANAGER, PROGRAMS, PROPLET
from propeller.signing.keys import generate


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("file.pem", "key.pem"):
        (tmp_path / name).write_text("")
    (tmp_path / "signer.pub").write_bytes(generate()[1])
    (tmp_path / "logins.toml").write_text('["registry.example"]\ntoken = "t"\n')
    (tmp_path / "there").mkdir()


#: One without the other is refused.
PAIRED = {
    *(
        "registry_url",
        "registry_username",
        "registry_password",
        "mqtt_tls_client_cert",
        "mqtt_tls_client_key",
    ),
    *("http_server_cert", "http_server_key"),
    *("signing_key", "manager_key"),
}
CASES = [(program, setting) for program in PROGRAMS for setting in program.settings]


def test_each_setting_has_an_entry_and_each_entry_a_setting():
    for program in PROGRAMS:
        keys = {setting.key for setting in program.settings}
        assert keys == set(ENTRIES[program]), (
            f"{program.name}: say in entries_helpers.py where its effect is seen"
        )


@pytest.mark.parametrize(
    ("program", "setting"), CASES, ids=lambda value: getattr(value, "name", getattr(value, "key", ""))
)
def test_each_setting_reaches_its_part_and_has_an_effect_there(program, setting):
    entry = ENTRIES[program][setting.key]
    before = environ_of(program, **entry.more)
    after = before | {program.variables(setting)[0]: entry.raw.format(there=Path.cwd() / "there")}
    if setting.key in PAIRED:
        before = environ_of(program)
    assert build(program, before).parts != build(program, after).parts
    if isinstance(entry, Here):
        assert entry.look(build(program, after)) == entry.wanted
        assert entry.look(build(program, before)) != entry.wanted
    else:
        built = build(program, after)
        assert {place: built.at(place) for place in entry.wanted} == entry.wanted
        words = [entry.word] if entry.word else [place.rpartition(".")[2] for place in entry.wanted]
        seen = source_of(entry.test)
        # As a whole, and not as a part of another.
        assert all(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", seen) for word in words), (words, entry.test)


# -- flags ---------------------------------------------------------------------------------------------------


@pytest.fixture
def begun(monkeypatch):
    """What each program is begun with, in place of beginning it."""
    found = []
    for name in ("up", "manager", "proplet", "proxy"):
        monkeypatch.setattr(f"propeller.assembly.{name}", lambda given: found.append(given) or 0)

    def begin(*words, **variables):
        done = CliRunner(env=variables).invoke(app, words)
        assert done.exit_code == 0, done.output
        return found.pop(), done.stderr

    return begin


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_flag_of_a_program_does_what_its_variable_does(program, begun):
    (command,) = (found for path, found in commands() if path == (program.name,))
    wanted = {setting.flag for setting in program.settings if not setting.is_secret}
    assert flags_of(command) == wanted | {"--config", "--section", "--show-config"}
    for setting in program.settings:
        if setting.is_secret:
            continue
        entry = ENTRIES[program][setting.key]
        raw = entry.raw.format(there=Path.cwd() / "there")
        environ = environ_of(program, **entry.more)
        words = [setting.flag, raw]
        if setting.is_switch:
            words = [setting.flag if raw == "true" else setting.flag.replace("--", "--no-", 1)]
        by_flag, _ = begun(program.name, *words, **environ)
        by_variable, _ = begun(program.name, **environ | {program.variables(setting)[0]: raw})
        assert by_flag == by_variable, setting.flag


#: Flags of ``propeller up``, with the variable that does the same where there is one, and a value.
UP = {
    "--host": ("MANAGER_HTTP_HOST", "127.0.0.2"),
    "--port": ("MANAGER_HTTP_PORT", "7"),
    "--http-names": ("MANAGER_HTTP_NAMES", "a.test"),
    "--auth": ("MANAGER_AUTH", "tokens"),
    "--insecure-no-auth": ("MANAGER_INSECURE_NO_AUTH", "true"),
    "--no-ui": ("MANAGER_UI", "false"),
    "--data-dir": ("MANAGER_DATA_DIR", "/far"),
    "--proplets": ("", "3"),
    "--concurrency": ("PROPLET_SLOTS", "99"),
    "--storage-type": ("MANAGER_STORAGE_TYPE", "memory"),
    "--durability": ("MANAGER_DURABILITY", "normal"),
    "--max-losses": ("MANAGER_LOSSES_MAX", "9"),
    "--job-mode": ("JOB_EXECUTION_MODE", "parallel"),
    "--keep-ended": ("MANAGER_KEEP_ENDED", "1h"),
    "--mqtt": ("", "tcp://far"),
    "--allow-dirs": ("PROPLET_ALLOW_DIRS", "{there}"),
    "--allow-http": ("PROPLET_ALLOW_HTTP", "a.test"),
    "--compile-timeout": ("PROPLET_COMPILE_TIMEOUT", "7s"),
    "--http-enabled": ("PROPLET_HTTP_ENABLED", "true"),
    "--config": ("MANAGER_CONFIG_FILE", "up.toml"),
}


def test_each_flag_of_up_changes_what_is_begun_as_its_variable_does(begun):
    (command,) = (found for path, found in commands() if path == ("up",))
    assert flags_of(command) == {flag.replace("--no-", "--") for flag in UP}
    Path("up.toml").write_text("[manager]\nlosses_max = 8\n")
    identified = environ_of(MANAGER)
    usual, _ = begun("up", **identified)
    for flag, (variable, raw) in UP.items():
        value = raw.format(there=Path.cwd() / "there")
        by_flag, _ = begun("up", *([flag] if value in ("true", "false") else [flag, value]), **identified)
        assert by_flag != usual, flag
        if variable:
            by_variable, _ = begun("up", **identified, **{variable: value})
            assert by_variable == by_flag, flag


def is_idle(told, variable):
    """True if the command says of this variable that it has no effect."""
    said = [line.partition(" no effect here: ")[0] for line in told.splitlines() if "no effect here" in line]
    return any(variable in line.replace(",", "").split() for line in said)


@pytest.mark.parametrize("program", [MANAGER, PROPLET], ids=lambda program: program.name)
def test_each_setting_holds_for_up_too_or_says_that_it_does_not(program, begun):
    for setting in program.settings:
        entry = ENTRIES[program][setting.key]
        environ = environ_of(MANAGER)
        more = {f"{program.prefix}{name}": value for name, value in entry.more.items()}
        variable = program.variables(setting)[0]
        raw = entry.raw.format(there=Path.cwd() / "there")
        seen = []
        for words in (["up"], ["up", "--mqtt", "ssl://broker"]):
            usual, _ = begun(*words, **environ)
            changed, told = begun(*words, **environ | more | {variable: raw})
            seen.append((changed != usual, is_idle(told, variable)))
        changes, idle = zip(*seen, strict=True)
        if setting.key in _OF_OTHERS[program] or (program is PROPLET and setting.key in _OF_BROKER[PROPLET]):
            assert idle == (True, True), setting.key
        elif setting.key in _OF_BROKER[program]:
            assert idle == (True, False), setting.key
            assert changes[1] is (setting.key != "mqtt_address"), "which the flag says"
        else:
            assert (changes, idle) == ((True, True), (False, False)), setting.key

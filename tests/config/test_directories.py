"""Directories for guests that hold what Propeller itself goes by are refused where they are set."""

import sys
from pathlib import Path

import pytest

from propeller.config.definitions import PROPLET
from propeller.config.errors import BadSettings
from propeller.config.programs import data_places
from propeller.config.sandbox_policy import sandbox_policy_of
from propeller.config.sources import resolve
from propeller.runtime.guest_run import Trust


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with data in it; yields it. The program was started in a directory beside that."""
    for name in ("home/.local/share/propeller", "home/files/models", "work", "data"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


def offered(home, allow="", dirs="", data_dir=None):
    """What tasks may ask for by these settings."""
    environ = {"HOME": str(home), "PROPLET_ALLOW_DIRS": str(allow), "PROPLET_DIRS": str(dirs)}
    data = data_places(data_dir or home.parent / "data", environ)
    return [(one.host, one.mode) for one in sandbox_policy_of(resolve(PROPLET, environ), data).offer.dirs]


def refused(home, **settings):
    with pytest.raises(BadSettings) as error:
        offered(home, **settings)
    return str(error.value)


def test_directories_beside_everything_of_ours_are_taken(home):
    files, models = home / "files", home / "files" / "models"
    assert offered(home, allow=f"{files}:rw,{models}", dirs=files) == [
        (str(files), "rw"),
        (str(files), "rw"),
        (str(models), "ro"),
    ]
    assert offered(home, allow="/usr,/var/tmp:rw") == [("/usr", "ro"), ("/var/tmp", "rw")]


def test_a_directory_that_is_not_there_is_refused(home):
    (home / "file").touch()
    for path in ("/nothing/there", home / "file"):
        assert refused(home, allow=path) == (
            f"PROPLET_ALLOW_DIRS: there is no directory {path}; make it, or leave it out"
        )
    assert refused(home, dirs="/nothing/there").startswith("PROPLET_DIRS: there is no directory")


@pytest.mark.parametrize("mode", ["ro", "rw"])
@pytest.mark.parametrize("path", ["data", ".", "link"])
def test_the_data_of_this_program_is_in_none(home, path, mode):
    (home.parent / "link").symlink_to("data")
    said = refused(home, allow=f"{home.parent / path}:{mode}")
    assert f"holds the data of Propeller itself ({home.parent / 'data'})" in said
    assert refused(home, allow=f"/:{mode}").startswith("PROPLET_ALLOW_DIRS: / holds ")


def test_nor_is_that_of_others_in_its_usual_place(home):
    usual = home / ".local" / "share" / "propeller"
    assert refused(home, dirs=home) == (
        f"PROPLET_DIRS: {home} holds the data of Propeller itself ({usual}); name directories beside it, or "
        "keep it elsewhere with --data-dir"
    )
    usual.rmdir()
    assert offered(home, dirs=home) == [(str(home), "rw")]


def test_none_lies_in_the_data(home):
    data = home.parent / "data"
    assert refused(home, allow=data / "proplets" / "modules") == (
        f"PROPLET_ALLOW_DIRS: {data / 'proplets/modules'} lies in the data of Propeller itself ({data}); name "
        "directories beside it"
    )


def test_data_behind_a_link_is_found(home):
    (home / "files" / "elsewhere").mkdir()
    (home.parent / "linked").symlink_to(home / "files" / "elsewhere")
    said = refused(home, allow=home / "files", data_dir=home.parent / "linked")
    assert f"holds the data of Propeller itself ({home / 'files/elsewhere'})" in said


def test_nobody_writes_to_where_settings_are_read_from_or_might_be(home):
    work = home.parent / "work"
    assert refused(home, allow=f"{work}:rw") == (
        f"PROPLET_ALLOW_DIRS: {work} is where settings are read from ({work / 'config.toml'}); name directories "
        "below it, or start this program elsewhere"
    )
    (work / "sub").mkdir()
    assert offered(home, allow=f"{work}/sub:rw,{work}") == [(f"{work}/sub", "rw"), (str(work), "ro")]
    Path("config.toml").write_text("[proplet]\n")
    assert "is where settings are read from" in refused(home, allow=f"{work}:ro")


def test_nobody_writes_to_modules_that_this_program_loads(home, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(home / "files" / "models")])
    said = refused(home, allow=f"{home / 'files'}:rw")
    assert f"holds Python modules that this program loads ({home / 'files/models'})" in said
    assert offered(home, allow=home / "files") == [(str(home / "files"), "ro")]


def test_a_link_into_what_tasks_write_to_is_told(home):
    files = home / "files"
    (home / "models").symlink_to("files/models")
    assert refused(home, allow=f"{files}:rw,{home / 'models'}") == (
        f"PROPLET_ALLOW_DIRS: {home / 'models'} leads into {files}, which tasks may write to; name it as "
        f"{files / 'models'}"
    )
    assert len(offered(home, allow=f"{files},{home / 'models'}")) == 2


def test_what_guests_did_to_a_directory_keeps_nobody_from_starting(home):
    """It is inside of one that they write to, and led to the data: from there it is not followed."""
    files = home / "files"
    (files / "trap").symlink_to(home.parent / "data")
    assert len(offered(home, allow=f"{files}:rw,{files / 'trap'}")) == 2


def test_guests_trust_the_certificates_that_the_proplet_trusts(home):
    (home / "ca.pem").write_text("a certificate")
    trusted = {
        "PROPLET_HTTP_TLS_CA_CERT": str(home / "ca.pem"),
        "PROPLET_HTTP_TLS_INSECURE_SKIP_VERIFY": "true",
    }
    for more, trust in (({}, Trust()), (trusted, Trust(str(home / "ca.pem"), is_blind=True))):
        assert sandbox_policy_of(resolve(PROPLET, {"HOME": str(home), **more}), []).trust == trust

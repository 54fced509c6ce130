"""Certificates of a fleet: the files that they are in, who is given which, and when they are made anew."""

import datetime as dt
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from propeller.cli.main import app
from propeller.config.certificates import (
    Authority,
    ends_soon,
    issue,
    new_authority,
    renewed_authority,
    subject_of,
)
from propeller.config.definitions import MANAGER, PROPLET
from propeller.config.errors import BadFiles
from propeller.config.programs import manager_settings, remote_proplet_settings
from propeller.config.provision import (
    Tls,
    add_client,
    add_foreign,
    add_proplets,
    add_proxy,
    provision,
    renew,
    split,
)
from propeller.config.sources import resolve

NOW = dt.datetime.now(dt.UTC)
ADDRESS = "ssl://broker.example:8883"


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.toml"
    provision(
        path, proplets=1, mqtt_address=ADDRESS, tls=Tls(hosts=("manager.example", "10.0.0.1"), is_mutual=True)
    )
    return path


def authority_of(config):
    directory = config.parent / "tls"
    return Authority((directory / "ca.crt").read_text(), (directory / "ca.key").read_text())


def pem(config, name):
    return config.parent / "tls" / f"{name}.pem"


def verified(config, name, *more):
    """Let openssl look whether a certificate is good now, and for what is said."""
    command = ["openssl", "verify", "-CAfile", config.parent / "tls" / "ca.crt", *more, pem(config, name)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def old(config, name):
    """Put a certificate there that ends soon."""
    text = issue(
        authority_of(config), subject_of(pem(config, name).read_text()), NOW, life=dt.timedelta(days=29)
    )
    pem(config, name).write_text(text)
    return text


def stems(paths):
    return sorted(path.stem for path in paths)


def test_each_has_a_certificate_that_is_good_for_what_it_does(config):
    for host in ("localhost", "manager.example", "broker.example"):
        for name in ("broker", "manager"):
            assert verified(config, name, "-purpose", "sslserver", "-verify_hostname", host)
    assert verified(config, "manager", "-purpose", "sslserver", "-verify_ip", "10.0.0.1")
    for name in ("manager", "proplet", "proxy"):
        assert verified(config, name, "-purpose", "sslclient")
        section = tomllib.loads(config.read_text())[name]
        assert subject_of(pem(config, name).read_text()).name == section["entity_id"]
    assert not verified(config, "proplet", "-purpose", "sslserver")
    assert not verified(config, "manager", "-verify_hostname", "other.example")
    files = [config.parent / name for name in ("config.toml", "passwords", "tls")]
    assert all(path.stat().st_mode & 0o077 == 0 for path in [*files, *(config.parent / "tls").iterdir()])
    assert "/tls/" in (config.parent / ".gitignore").read_text().splitlines()


def test_the_programs_read_them_wherever_they_are_started(config, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    manager = manager_settings(resolve(MANAGER, {}, file=config), {"HOME": "/far"})
    assert manager.http.server_cert == manager.http.server_key == pem(config, "manager")
    assert manager.mqtt.tls.client_cert == pem(config, "manager")
    split(config)
    own = config.parent / "keys" / "proplet.toml"
    proplet = remote_proplet_settings(resolve(PROPLET, {}, file=own), {"HOME": "/far"})
    assert proplet.mqtt.tls.client_key == own.parent / "tls" / "proplet.pem"
    assert proplet.mqtt.tls.ca_cert == own.parent / "tls" / "ca.crt"


def test_who_is_added_gets_one_too(config):
    split(config)
    made = add_proplets(config, 1)
    assert stems(made.certificates) == ["proplet2"]
    # The manager is told of the key that the new one signs with.
    assert {path.name for path in made.keys} == {"manager.toml", "proplet2.toml", "proplet2.pem"}
    assert stems(add_foreign(config, ["gate"]).certificates) == ["foreign1"]
    assert subject_of(pem(config, "foreign1").read_text()).name == "gate"
    config.write_text(re.sub(r"\[proxy\][^\[]*", "", config.read_text()))
    assert stems(add_proxy(config).certificates) == ["proxy"]
    assert verified(config, "proplet2")
    before = config.read_text()
    (config.parent / "tls" / "ca.key").write_text(new_authority("other", NOW).key)
    with pytest.raises(
        BadFiles, match=r"ca\.crt and ca\.key can't sign: the key is not that of the certificate"
    ):
        add_proplets(config, 1)
    (config.parent / "tls" / "ca.key").unlink()
    with pytest.raises(BadFiles, match=r"ca\.key: is not there, and nothing can be signed without it"):
        add_proplets(config, 1)
    assert config.read_text() == before


def test_a_name_that_fits_into_no_certificate_is_told(config):
    before = config.read_text()
    with pytest.raises(
        BadFiles, match=r"foreign1: there can be no certificate for it: .* 1 to 64 characters"
    ):
        add_foreign(config, ["x" * 65])
    assert config.read_text() == before


def test_what_ends_soon_is_renewed_and_nothing_else(config):
    add_client(config, "ci", "")
    split(config)
    assert renew(config).certificates == []
    before = {name: old(config, name) for name in ("manager", "proplet", "client-ci")}
    broker = pem(config, "broker").read_text()
    made = renew(config)
    assert stems(made.certificates) == ["client-ci", "manager", "proplet"]
    assert {path.name for path in made.keys} == {"manager.pem", "proplet.pem"}
    for name, text in before.items():
        now = pem(config, name).read_text()
        assert now != text
        assert subject_of(now) == subject_of(text)
        assert not ends_soon(now, NOW)
        assert pem(config, name).stat().st_mode & 0o777 == 0o600
    assert pem(config, "broker").read_text() == broker
    copy = config.parent / "keys" / "tls" / "proplet.pem"
    assert copy.read_text() == pem(config, "proplet").read_text()


def test_what_is_missing_or_of_another_authority_is_made_anew_with_its_names(config):
    names = subject_of(pem(config, "manager").read_text()).hosts
    pem(config, "manager").unlink()
    other = issue(new_authority("other", NOW), subject_of(pem(config, "proplet").read_text()), NOW)
    pem(config, "proplet").write_text(other)
    pem(config, "client-theirs").write_text(other)
    assert stems(renew(config).certificates) == ["manager", "proplet"]
    assert subject_of(pem(config, "manager").read_text()).hosts == names
    pem(config, "broker").write_text("no certificate")
    with pytest.raises(BadFiles, match=r"broker\.pem: can't be renewed: .*; delete it, and it is made anew"):
        renew(config)


def test_the_authority_is_renewed_with_its_key_so_that_old_and_new_go_together(config):
    key = authority_of(config).key
    ten_years_ago = NOW - dt.timedelta(days=3650 - 20)
    (config.parent / "keep").write_text(authority_of(config).cert)
    before = pem(config, "proplet").read_text()
    aged = renewed_authority(authority_of(config), ten_years_ago)
    (config.parent / "tls" / "ca.crt").write_text(aged.cert)
    assert stems(renew(config).certificates) == ["ca"]
    assert authority_of(config).key == key
    assert pem(config, "proplet").read_text() == before
    assert verified(config, "proplet")
    old(config, "manager")
    renew(config)
    (config.parent / "tls" / "ca.crt").write_text(aged.cert)  # a copy that was not renewed
    assert verified(config, "manager")


def test_clients_are_nobody_of_the_fleet(config):
    path = add_client(config, "ci", "spiffe://example/ci")
    assert subject_of(path.read_text()).uri == "spiffe://example/ci"
    assert path.stat().st_mode & 0o777 == 0o600
    entity = tomllib.loads(config.read_text())["proplet"]["entity_id"]
    for name, uri, complaint in (
        ("ci", "", "is there already; delete it to make another"),
        (entity, "", "is the name of a program of the fleet"),
        ("x", "urn:propeller:manager:manager", "is the name of a program of the fleet"),
        ("../x", "", "a client's name has"),
        ("x", "töst://", "there can be no certificate"),
    ):
        with pytest.raises(BadFiles, match=complaint):
            add_client(config, name, uri)
    before = config.read_text()
    with pytest.raises(BadFiles, match="ci: is the name of a client of the API; use another id"):
        add_foreign(config, ["ci"])
    assert config.read_text() == before
    plain = config.parent / "plain.toml"
    provision(plain, proplets=1, force=True)
    with pytest.raises(BadFiles, match="has no certificates; make them with: propeller provision --tls"):
        add_client(plain, "ci", "")


def test_a_client_is_added_by_a_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["provision", "--mtls"]).exit_code == 0
    assert "require_certificate true" in (tmp_path / "mosquitto.conf").read_text()
    done = CliRunner().invoke(app, ["provision", "add-client", "ci", "--uri", "spiffe://a/ci", "--json"])
    (file,) = json.loads(done.stdout)["files"]
    assert subject_of(Path(file).read_text()).uri == "spiffe://a/ci"
    done = CliRunner().invoke(app, ["provision", "add-client", "cd"])
    assert "client-cd.pem, its certificate and its key" in done.output.replace("\n", "")


def test_flags_that_do_not_go_together_are_refused_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words, complaint in (
        (["--san", "a.test"], "--san names hosts for certificates; give --tls or --mtls, too"),
        (["--tls", "--san", "https://a.test"], "write names without scheme and port"),
        (["--tls", "--mqtt-address", "tcp://a.test"], "is an address without TLS; begin it with ssl://"),
    ):
        done = CliRunner().invoke(app, ["provision", *words])
        assert done.exit_code != 0
        assert complaint in re.sub(r"[\s│]+", " ", done.output + str(done.exception))
        assert list(tmp_path.iterdir()) == []
    assert CliRunner().invoke(app, ["provision", "--tls"]).exit_code == 0
    assert 'mqtt_address = "ssl://localhost:8883"' in (tmp_path / "config.toml").read_text()
    conf = (tmp_path / "mosquitto.conf").read_text()
    assert "listener 8883" in conf
    assert "require_certificate" not in conf

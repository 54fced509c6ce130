"""A certificate authority for one test: a server's certificate for this machine, and one for a client."""

import subprocess
from pathlib import Path


class Certificates:
    """PEM files in a directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.ca, self._ca_key = self._file("ca.pem"), self._file("ca.key")
        _openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test-ca",
            "-addext", "basicConstraints=critical,CA:TRUE",
            "-keyout", self._ca_key, "-out", self.ca,
        )  # fmt: skip
        self.server, self.server_key = self._issue("server", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        self.client, self.client_key = self._issue("client", "extendedKeyUsage=clientAuth")

    def _file(self, name: str) -> Path:
        return self._directory / name

    def _issue(self, name: str, extension: str) -> tuple[Path, Path]:
        certificate, key, request = (
            self._file(f"{name}.pem"),
            self._file(f"{name}.key"),
            self._file(f"{name}.csr"),
        )
        extensions = self._file(f"{name}.ext")
        extensions.write_text(extension)
        _openssl(
            f"req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name}",
            "-keyout", key, "-out", request,
        )  # fmt: skip
        _openssl(
            "x509 -req -days 2 -CAcreateserial",
            "-in", request, "-CA", self.ca, "-CAkey", self._ca_key, "-extfile", extensions, "-out", certificate,
        )  # fmt: skip
        return certificate, key


def _openssl(command: str, *files: object) -> None:
    done = subprocess.run(
        ["openssl", *command.split(), *map(str, files)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

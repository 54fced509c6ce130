"""A real registry to push to, small web servers that misbehave, and a fetcher that knows them."""

import asyncio
import base64
import contextlib
import hashlib
import json
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from propeller.registry.fetcher import Fetcher
from propeller.registry.settings import RegistrySettings
from tests.parts.programs import path_of
from tests.waiting import until

WASM = "application/wasm"
IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
USER, PASSWORD = "acme", "secret"
#: ``PASSWORD`` by bcrypt.
HTPASSWD = f"{USER}:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"


def module(word, size=0):
    """Bytes that nobody else has; ``size`` of them if that is more than a few."""
    head = b"\0asm\1\0\0\0" + word.encode()
    return head + bytes(i * 31 % 251 for i in range(size - len(head)))


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def described(data, media_type, **more):
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data), **more}


class Registry:
    """``docker-registry`` as a process; pushes are written out by hand."""

    def __init__(self, directory, *, with_password=False):
        self.blobs = directory / "data/docker/registry/v2/blobs/sha256"
        self.auth = (USER, PASSWORD) if with_password else None
        config = [
            "version: 0.1",
            "log: {level: info, formatter: text}",
            f"storage: {{filesystem: {{rootdirectory: {directory}/data}}}}",
            "http: {addr: 127.0.0.1:0, secret: s}",
        ]
        if with_password:
            (directory / "htpasswd").write_text(HTPASSWD)
            config.append(f"auth: {{htpasswd: {{realm: test, path: {directory}/htpasswd}}}}")
        (directory / "config.yml").write_text("\n".join(config))
        self._looks = 0
        self._access_log = directory / "access.log"
        with self._access_log.open("w") as log:
            self._process = subprocess.Popen(
                [path_of("docker-registry"), "serve", directory / "config.yml"],
                stdout=log,
                stderr=subprocess.PIPE,
                text=True,
            )
        hurry = threading.Timer(60, self._process.kill)
        hurry.start()
        said = []
        for line in self._process.stderr:
            said.append(line)
            if found := re.search(r"listening on 127\.0\.0\.1:(\d+)", line):
                break
        else:
            raise AssertionError("".join(said))
        hurry.cancel()
        # Its log goes on; nobody must have to wait for a reader.
        self._reader = threading.Thread(target=self._process.stderr.read)
        self._reader.start()
        self.host = f"127.0.0.1:{found[1]}"
        self.http = httpx.Client(base_url=f"http://{self.host}", auth=self.auth, trust_env=False)

    def stop(self):
        self.http.close()
        self._process.terminate()
        self._process.wait(20)
        self._reader.join()
        self._process.stderr.close()

    def requests(self):
        """The paths of all GET requests so far."""
        self._looks += 1
        mark = f"/v2/?look={self._looks}"
        self.http.get(mark)
        # A line is written when its request has been answered.
        until(lambda: mark in self._access_log.read_text())
        asked = re.findall(r'"GET (\S+)', self._access_log.read_text())
        return [path for path in asked if "?look=" not in path]

    def push_blob(self, repository, data):
        begun = self.http.post(f"/v2/{repository}/blobs/uploads/")
        assert begun.status_code == 202, begun.text
        where = httpx.URL(begun.headers["location"]).copy_merge_params({"digest": digest_of(data)})
        done = self.http.put(where, content=data, headers={"Content-Type": "application/octet-stream"})
        assert done.status_code == 201, done.text

    def push_manifest(self, repository, name, body, media_type=IMAGE):
        data = json.dumps(body).encode()
        put = self.http.put(
            f"/v2/{repository}/manifests/{name or digest_of(data)}",
            content=data,
            headers={"Content-Type": media_type},
        )
        assert put.status_code == 201, put.text
        return described(data, media_type)

    def push(self, repository, tag, *layers):
        """Push an image of layers ``(bytes, media type)``; without a tag by digest."""
        for data, _ in ((b"{}", ""), *layers):
            self.push_blob(repository, data)
        manifest = {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": described(b"{}", "application/vnd.wasm.config.v0+json"),
            "layers": [described(data, kind) for data, kind in layers],
        }
        return self.push_manifest(repository, tag, manifest)

    def push_index(self, repository, tag, *manifests):
        body = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
        return self.push_manifest(repository, tag, body, INDEX)

    def stored(self, data):
        """Where the registry keeps these bytes."""
        name = digest_of(data).removeprefix("sha256:")
        return self.blobs / name[:2] / name / "data"


class Server:
    """A web server whose answers are a function: a request to ``(status, headers, body)``.

    A body may be an iterable of bytes, which is sent in chunks as it comes. All requests are recorded.
    """

    def __init__(self, answer, *, tls=None):
        self.requests = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.requests.append(self)
                status, headers, body = answer(self)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                whole = isinstance(body, bytes)
                self.send_header(
                    *(("Content-Length", len(body)) if whole else ("Transfer-Encoding", "chunked"))
                )
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    for piece in [body] if whole else body:
                        self.wfile.write(piece if whole else b"%x\r\n%s\r\n" % (len(piece), piece))
                    if not whole:
                        self.wfile.write(b"0\r\n\r\n")
                self.close_connection = True

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self.host = f"127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def paths(self):
        return [request.path for request in self.requests]


def basic(user=USER, password=PASSWORD):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def settings(tmp_path, **more):
    """Settings that take plain HTTP from this machine, and do not wait long between two tries."""
    usual = {"plain_http": frozenset({"127.0.0.1"}), "backoff_s": 0.001, "timeout_s": 20.0}
    return RegistrySettings(cache_dir=tmp_path / "cache", **(usual | more))


def play(part, told):
    """Run ``part(fetcher)`` in a loop of its own."""

    async def whole():
        fetcher = Fetcher(told)
        try:
            return await part(fetcher)
        finally:
            await fetcher.close()

    return asyncio.run(whole())


def get(told, reference):
    """Fetch one module and give its bytes."""

    async def part(fetcher):
        with await fetcher.open(reference) as blob:
            data = blob.read()
            assert (blob.digest, blob.size) == (digest_of(data), len(data))
            return data

    return play(part, told)

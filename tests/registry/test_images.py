"""Images in a real registry."""

import asyncio
import io
import json
import re
import tarfile

import pytest

from propeller.errors import ModuleUnavailable
from propeller.registry.settings import Credentials
from tests.registry.helpers import (
    IMAGE,
    PASSWORD,
    USER,
    WASM,
    Server,
    described,
    digest_of,
    get,
    module,
    play,
    settings,
)

TAR = "application/vnd.oci.image.layer.v1.tar+gzip"


def refusal(told, reference):
    with pytest.raises(ModuleUnavailable) as caught:
        get(told, reference)
    return str(caught.value)


def test_fetches_the_tag_or_digest_that_is_named(registry, tmp_path):
    told = settings(tmp_path)
    old, new = module("old", 200_000), module("new")
    image = registry.push("acme/sum", "v1", (old, WASM))
    registry.push("acme/sum", "latest", (new, WASM))
    name = f"{registry.host}/acme/sum"
    assert get(told, f"{name}:v1") == old
    assert get(told, name) == new
    assert get(told, f"{name}@{image['digest']}") == old
    assert get(told, f"{name}:latest@{image['digest']}") == old


def test_a_tag_is_asked_for_anew_each_time(registry, tmp_path):
    told = settings(tmp_path)
    for word in ("one", "two"):
        registry.push("acme/moving", "v1", (module(word), WASM))
        assert get(told, f"{registry.host}/acme/moving:v1") == module(word)


def test_says_which_module_it_is_without_fetching_it(registry, tmp_path):
    data = module("resolved")
    registry.push("acme/resolve", "v1", (data, WASM))

    async def part(fetcher):
        found = await fetcher.resolve(f"{registry.host}/acme/resolve:v1")
        assert await fetcher.held(found.digest) is None
        return found.digest, found.size

    assert play(part, settings(tmp_path)) == (digest_of(data), len(data))


@pytest.mark.parametrize(
    "kind",
    [
        WASM,
        "application/vnd.wasm.content.layer.v1+wasm",
        "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
    ],
)
def test_takes_the_layer_that_says_it_is_wasm(registry, tmp_path, kind):
    data = module(kind)
    registry.push(
        "acme/layers", "v1", (b"much larger " * 99, TAR), (data, kind), (b"readme", "text/markdown")
    )
    assert get(settings(tmp_path), f"{registry.host}/acme/layers:v1") == data


def test_takes_the_only_layer_whatever_it_says(registry, tmp_path):
    registry.push("acme/only", "v1", (module("only"), "application/vnd.oci.image.layer.v1.tar"))
    assert get(settings(tmp_path), f"{registry.host}/acme/only:v1") == module("only")


def archive(compression, **files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=f"w:{compression}") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        link = tarfile.TarInfo("link.wasm")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("kind", "compression"),
    [
        (TAR, "gz"),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", "gz"),
        (TAR.removesuffix("+gzip"), ""),
    ],
)
def test_unpacks_a_layer_for_containers(registry, tmp_path, kind, compression):
    data = module(f"packed as {kind}", 3_000_000)
    name = "acme/packed"
    registry.push(name, "v1", (archive(compression, README=b"x" * 9, **{"app/main.wasm": data}), kind))
    told = settings(tmp_path)
    assert get(told, f"{registry.host}/{name}:v1") == data
    before = registry.requests()
    assert get(told, f"oci://{registry.host}/{name}:v1") == data, "in the cache, with its layer"
    new = registry.requests()[len(before) :]
    assert not [path for path in new if "/blobs/" in path]


def test_prefers_the_usual_name_in_a_layer_for_containers(registry, tmp_path):
    files = {"a.wasm": module("first"), "bin/module.wasm": module("usual")}
    registry.push("acme/usual", "v1", (archive("gz", **files), TAR))
    assert get(settings(tmp_path), f"{registry.host}/acme/usual:v1") == module("usual")


def test_says_what_is_wrong_with_a_layer_for_containers(registry, tmp_path):
    for tag, data, words in (
        ("none", archive("gz", **{"etc/hosts": b"1"}), "without a .wasm file; in it are: etc/hosts"),
        ("large", archive("gz", **{"m.wasm": bytes(5000)}), "m.wasm in .* has 5000 bytes; 4000 are allowed"),
        ("damaged", archive("gz", **{"m.wasm": module("m", 900)})[:300], "is no archive that can be read"),
        ("other", b"something else", "is no archive that can be read"),
    ):
        registry.push("acme/odd", tag, (data, TAR))
        assert re.search(
            words, refusal(settings(tmp_path, module_bytes_max=4000), f"{registry.host}/acme/odd:{tag}")
        )


def test_a_missing_layer_is_not_a_missing_image(registry, tmp_path):
    data = module("lost")
    registry.push("acme/lost", "v1", (data, WASM))
    registry.stored(data).unlink()
    why = refusal(settings(tmp_path), f"{registry.host}/acme/lost:v1")
    assert f"{registry.host} has the manifest of {registry.host}/acme/lost:v1, but not its module" in why
    assert digest_of(data) in why


@pytest.mark.parametrize("kinds", [(TAR, "text/markdown"), (WASM, WASM)])
def test_names_the_layers_when_it_can_not_choose(registry, tmp_path, kinds):
    registry.push("acme/unclear", "v1", (b"one", kinds[0]), (b"two", kinds[1]))
    why = refusal(settings(tmp_path), f"{registry.host}/acme/unclear:v1")
    assert "no layer that is clearly the Wasm module" in why
    assert ", ".join(kinds) in why


def on(image, system, architecture):
    return {**image, "platform": {"os": system, "architecture": architecture}}


def test_takes_the_image_for_wasm_from_an_index(registry, tmp_path):
    name = "acme/index"
    linux = registry.push(name, None, (module("not this"), WASM))
    wasi = registry.push(name, None, (module("this"), TAR))
    registry.push_index(name, "v1", on(linux, "linux", "amd64"), on(wasi, "wasi", "wasm"))
    assert get(settings(tmp_path), f"{registry.host}/{name}:v1") == module("this")


def test_takes_any_image_with_a_wasm_layer_from_an_index(registry, tmp_path):
    name = "acme/index2"
    linux = registry.push(name, None, (b"a file system", TAR))
    other = registry.push(name, None, (module("inside"), WASM))
    registry.push_index(name, "v1", on(linux, "linux", "amd64"), on(other, "linux", "arm64"))
    assert get(settings(tmp_path), f"{registry.host}/{name}:v1") == module("inside")


def test_names_the_platforms_of_an_index_without_wasm(registry, tmp_path):
    name = "acme/index3"
    images = [
        on(registry.push(name, None, (word, TAR)), "linux", word.decode()) for word in (b"amd64", b"arm64")
    ]
    registry.push_index(name, "v1", *images)
    assert "its index lists: linux/amd64, linux/arm64" in refusal(
        settings(tmp_path), f"{registry.host}/{name}:v1"
    )


def test_refuses_a_blob_that_was_damaged_in_the_registry(registry, tmp_path):
    data = module("damaged", 5000)
    registry.push("acme/damaged", "v1", (data, WASM))
    path = registry.stored(data)
    path.write_bytes(data[:-1] + b"\xff")
    told = settings(tmp_path)
    assert "is damaged in the registry" in refusal(told, f"{registry.host}/acme/damaged:v1")
    path.write_bytes(data)
    assert get(told, f"{registry.host}/acme/damaged:v1") == data


def test_refuses_a_blob_of_another_size_than_its_manifest_says(registry, tmp_path):
    for tag, more in (("long", -1), ("short", 1)):
        data = module(tag)
        registry.push("acme/size", "v1", (data, WASM))
        layer = described(data, WASM) | {"size": len(data) + more}
        body = {"schemaVersion": 2, "mediaType": IMAGE, "config": described(b"{}", WASM), "layers": [layer]}
        registry.push_manifest("acme/size", tag, body)
        why = refusal(settings(tmp_path / tag), f"{registry.host}/acme/size:{tag}")
        assert ("its manifest says" if tag == "short" else "is larger than") in why


def test_refuses_a_damaged_manifest(registry, tmp_path):
    image = registry.push("acme/manifest", "v1", (module("manifest"), WASM))
    body = registry.http.get("/v2/acme/manifest/manifests/v1", headers={"Accept": IMAGE}).content
    registry.stored(body).write_bytes(json.dumps(json.loads(body), indent=1).encode())
    for reference in ("acme/manifest:v1", f"acme/manifest@{image['digest']}"):
        why = refusal(settings(tmp_path), f"{registry.host}/{reference}")
        # The real registry may notice by itself.
        assert "is damaged" in why or "HTTP 500" in why, why


def test_names_what_is_not_there(registry, tmp_path):
    registry.push("acme/there", "v1", (module("there"), WASM))
    why = refusal(settings(tmp_path), f"{registry.host}/acme/there:v2")
    assert why == f"{registry.host} has no {registry.host}/acme/there:v2 (HTTP 404 Not Found)"


def test_refuses_a_module_above_the_limit_or_empty(registry, tmp_path):
    data = module("large", 1000)
    registry.push("acme/large", "v1", (data, WASM))
    why = refusal(settings(tmp_path, module_bytes_max=999), f"{registry.host}/acme/large:v1")
    assert "has 1000 bytes; 999 are allowed" in why
    assert get(settings(tmp_path, module_bytes_max=1000), f"{registry.host}/acme/large:v1") == data
    registry.push("acme/empty", "v1", (b"", WASM))
    assert "is empty" in refusal(settings(tmp_path), f"{registry.host}/acme/empty:v1")


def test_shows_each_registry_its_own_credentials(registry, closed_registry, tmp_path):
    data = module("closed")
    closed_registry.push("acme/closed", "v1", (data, WASM))
    registry.push("acme/open", "v1", (module("open"), WASM))
    reference = f"{closed_registry.host}/acme/closed:v1"
    told = settings(
        tmp_path,
        credentials={
            closed_registry.host: Credentials(username=USER, password=PASSWORD),
            "elsewhere.example": Credentials(token="t"),
        },
    )
    assert get(told, reference) == data
    assert get(told, f"{registry.host}/acme/open:v1") == module("open")
    assert "wants credentials for acme/closed" in refusal(settings(tmp_path / "none"), reference)
    wrong = {closed_registry.host: Credentials(username=USER, password="wrong")}
    why = refusal(settings(tmp_path / "wrong", credentials=wrong), reference)
    assert "does not let this proxy read" in why
    assert "HTTP 401" in why


def test_fetches_once_what_many_want(registry, tmp_path):
    data = module("wanted", 300_000)
    registry.push("acme/wanted", "v1", (data, WASM))
    registry.push("acme/wanted", "v2", (data, WASM))
    log = registry.requests()

    async def part(fetcher):
        names = [f"{registry.host}/acme/wanted:v{1 + i % 2}" for i in range(20)]
        return await asyncio.gather(*map(fetcher.fetch, names))

    assert {found.digest for found in play(part, settings(tmp_path))} == {digest_of(data)}
    asked = [path for path in registry.requests()[len(log) :] if "acme/wanted" in path]
    assert sorted(path.rsplit("/", 1)[-1] for path in asked) == sorted([digest_of(data), "v1", "v2"])


def test_keeps_modules_by_digest_and_notices_when_the_disk_does_not(registry, tmp_path):
    told = settings(tmp_path)
    data = module("kept", 10_000)
    image = registry.push("acme/kept", "v1", (data, WASM))
    reference = f"{registry.host}/acme/kept@{image['digest']}"
    get(told, reference)
    log = registry.requests()
    assert get(told, reference) == data
    assert registry.requests() == log, "what has a digest is held"
    kept = told.cache_dir / digest_of(data).removeprefix("sha256:")
    for damaged in (data[:-1] + b"x", data[:-1], b""):
        kept.write_bytes(damaged)
        assert get(told, reference) == data
        assert kept.read_bytes() == data


def test_keeps_no_more_than_the_bound(registry, tmp_path):
    told = settings(tmp_path, cache_bytes_max=25_000)
    for word in "abcd":
        registry.push("acme/bound", word, (module(word, 10_000), WASM))
        assert get(told, f"{registry.host}/acme/bound:{word}") == module(word, 10_000)
    held = {path.name for path in told.cache_dir.iterdir()}
    assert held == {digest_of(module(word, 10_000)).removeprefix("sha256:") for word in "cd"}


def test_a_registry_that_is_gone_is_named(tmp_path):
    why = refusal(settings(tmp_path), "127.0.0.1:1/acme/sum:v1")
    assert "127.0.0.1:1 can't be read" in why
    assert "tried 4 times" in why


#: What a registry may send in place of a manifest, and what is said of it.
HOSTILE = {
    b'{"layers":' + b"[" * 100_000: "can't be read",
    b'{"config":' + b"[" * 100_000 + b"]" * 100_000 + b"}": "nested too deeply",
    b'{"a":' * 100_000: "nested too deeply",
    b"[" * (5 << 20): "larger than the 4194304 bytes allowed",
    b'{"layers":[' + b"{}," * 1_000_000 + b"{}]}": "can't be read",
    b"\xff\xfe": "can't be read",
    b"": "can't be read",
}


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: repr(body[:20]))
def test_a_hostile_manifest_is_refused_in_words(tmp_path, body):
    with Server(lambda _: (200, {"Content-Type": IMAGE}, body)) as server:
        found = refusal(settings(tmp_path, plain_http=frozenset({server.host})), f"{server.host}/acme/sum:v1")
        assert HOSTILE[body] in found
        assert len(found) < 1000
        assert len(server.paths) == 1


def test_what_a_hostile_manifest_lists_is_not_repeated_at_length(tmp_path):
    layers = [described(b"%d" % n, "text/" + "x" * 1000) for n in range(2000)]
    body = json.dumps({"layers": layers}).encode()
    with Server(lambda _: (200, {"Content-Type": IMAGE}, body)) as server:
        found = refusal(settings(tmp_path, plain_http=frozenset({server.host})), f"{server.host}/acme/sum:v1")
    assert found.endswith("and 1984 more")
    assert len(found) < 3000


def test_a_hostile_token_service_is_refused_in_words(tmp_path):
    def answer(request):
        if request.path.startswith("/token"):
            return 200, {}, b'{"token":"x","more":' + b"[" * 100_000
        return 401, {"WWW-Authenticate": f'Bearer realm="http://{request.headers["Host"]}/token"'}, b"{}"

    with Server(answer) as server:
        found = refusal(settings(tmp_path, plain_http=frozenset({server.host})), f"{server.host}/acme/sum:v1")
        assert "sends what is no token" in found

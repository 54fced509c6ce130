import pytest

from propeller.errors import ModuleUnavailable
from propeller.registry.reference import parse_reference

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "api_host", "repository", "version"),
    [
        ("docker.io/acme/sum:v1", "registry-1.docker.io", "acme/sum", "v1"),
        ("acme/sum", "registry-1.docker.io", "acme/sum", "latest"),
        ("sum", "registry-1.docker.io", "library/sum", "latest"),
        ("docker.io/sum", "registry-1.docker.io", "library/sum", "latest"),
        ("index.docker.io/sum:1.2", "registry-1.docker.io", "library/sum", "1.2"),
        ("localhost/sum", "localhost", "sum", "latest"),
        (f"localhost:5000/x@{DIGEST}", "localhost:5000", "x", DIGEST),
        (f"registry.example/acme/a/b:v1@{DIGEST}", "registry.example", "acme/a/b", DIGEST),
        ("Registry.example:443/x.wasm:V1", "registry.example:443", "x.wasm", "V1"),
        ("oci://localhost:5000/x:v1", "localhost:5000", "x", "v1"),
        ("[::1]:5000/a__b/c-d:latest", "[::1]:5000", "a__b/c-d", "latest"),
    ],
)
def test_reads_references_as_other_tools_do(text, api_host, repository, version):
    found = parse_reference(text)
    assert (found.api_host, found.repository, found.version) == (api_host, repository, version)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "1 to 1024 characters"),
        ("a/" * 600, "1 to 1024 characters"),
        ("acme/Sum", "'acme/Sum' is not a repository"),
        ("acme/sum:", "'' is not a tag"),
        ("acme/sum:a b", "'a b' is not a tag"),
        ("acme/sum@sha256:12", "'sha256:12' is not a digest"),
        ("localhost:5000/", "'' is not a repository"),
        ("host.example:port/x", "'host.example:port' is not a host"),
        ("user@host.example/x", "is not a digest"),
        ("ipfs://host.example/x", "is not a host"),
        ("a.b/../x", "is not a repository"),
        (DIGEST, "does not say where"),
    ],
)
def test_says_which_part_of_a_reference_is_wrong(text, why):
    with pytest.raises(ModuleUnavailable) as caught:
        parse_reference(text)
    assert why in str(caught.value)

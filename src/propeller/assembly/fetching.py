"""Settings of the fetcher, made from those of a program; and fetching one module."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from propeller.config.definitions import PROXY
from propeller.config.programs import registry_settings
from propeller.config.settings import RegistrySettings as Configured
from propeller.config.sources import resolve
from propeller.registry.fetcher import Fetcher
from propeller.registry.settings import Credentials, RegistrySettings


def fetcher_settings(configured: Configured) -> RegistrySettings:
    return RegistrySettings(
        cache_dir=configured.cache_dir,
        cache_bytes_max=configured.cache_bytes,
        credentials={
            login.host: Credentials(username=login.username, password=login.password, token=login.token)
            for login in configured.logins
        },
        plain_http=frozenset(configured.plain_http),
        ca_cert=configured.ca_cert,
        insecure_skip_verify=configured.insecure_skip_verify,
        allow_private_addresses=configured.allow_private_addresses,
    )


async def fetch_once(reference: str, environ: Mapping[str, str]) -> bytes:
    """Fetch one module for the user of this machine, with the settings that a proxy started here would have.

    Private addresses are allowed: here nobody but the user says what is fetched.

    Raises:
        BadSettings: The settings are wrong.
        ModuleUnavailable: The module can't be had.

    """
    with tempfile.TemporaryDirectory(prefix="propeller-fetched-") as directory:
        settings = fetcher_settings(registry_settings(resolve(PROXY, environ), Path(directory)))
        fetcher = Fetcher(msgspec.structs.replace(settings, allow_private_addresses=True))
        try:
            with await fetcher.open(reference) as module:
                return module.read()
        finally:
            await fetcher.close()

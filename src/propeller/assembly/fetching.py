"""From the settings of a program to those of what fetches modules for it."""

from propeller.config.settings import RegistrySettings as Configured
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

"""Secrets: set, listed and deleted, and who used which. No answer has a value."""

from starlette.types import ASGIApp

from propeller.access import namespaces
from propeller.access.roles import Action
from propeller.api import queries
from propeller.api.answers import answer, nothing
from propeller.api.belonging import creator_of, namespaces_of
from propeller.api.bodies import read_json
from propeller.api.context import HttpRequest, context_of, principal_of
from propeller.api.endpoints import delete, get, post, put
from propeller.api.lifting import Lifted
from propeller.api.spec_builder import check_secret_name
from propeller.errors import NotFound
from propeller.store.secrets import StoredSecret
from propeller.wire.http.secrets import (
    NewSecret,
    Rekeyed,
    SecretHistory,
    SecretsView,
    SecretView,
    UseView,
    VersionView,
)
from propeller.wire.rfc3339 import format_time

_OF_ONE = [queries.IN_NAMESPACE]


@get("/secrets", action=Action.READ, gives=SecretsView, query=[queries.NAMESPACE], anywhere=True)
async def list_secrets(request: HttpRequest) -> ASGIApp:
    """List the secrets of a namespace, or of all that one sees, without their values."""
    only = namespaces_of(request)
    found = await context_of(request).store.secrets()
    shown = [one for one in found if only is None or namespaces.stored(one.namespace) in only]
    return answer(SecretsView(secrets=[_view(one) for one in shown]))


@put(
    "/secrets/{name}", action=Action.SECRETS, takes=NewSecret, gives=SecretView, query=_OF_ONE, refuses=[404]
)
async def set_secret(request: HttpRequest) -> ASGIApp:
    """Set a secret: its next version. Tasks that start from now on get that."""
    namespace, name = _named(request)
    value = await read_json(request, NewSecret, _value)
    secrets = context_of(request).manager.secrets
    return answer(_view(await secrets.put(namespace, name, value, principal_of(request).name)))


def _value(given: NewSecret, _lifted: Lifted) -> str:
    return given.value


@delete("/secrets/{name}", action=Action.SECRETS, status=204, query=_OF_ONE, refuses=[404])
async def delete_secret(request: HttpRequest) -> ASGIApp:
    """Erase the value of a secret; tasks that need it fail from now on. Its history stays."""
    namespace, name = _named(request)
    await context_of(request).manager.secrets.delete(namespace, name)
    return nothing()


@get(
    "/secrets/{name}",
    action=Action.READ,
    gives=SecretHistory,
    query=[*_OF_ONE, queries.OFFSET, queries.MANY],
    refuses=[404],
    anywhere=True,
)
async def get_secret(request: HttpRequest) -> ASGIApp:
    """Show the versions of a secret, also after it was deleted, and which task got which."""
    namespace, name = _named(request)
    store, page = context_of(request).store, queries.paging(request, queries.MANY)
    versions = await store.secret_versions(namespace, name)
    if not versions:
        raise NotFound(f"not found: there is no secret {name}")
    uses = await store.secret_uses(namespace, name, page.offset, page.limit)
    return answer(
        SecretHistory(
            offset=page.offset,
            limit=page.limit,
            total=uses.total,
            name=name,
            namespace=namespace,
            versions=[_version(one) for one in versions],
            uses=[
                UseView(
                    version=use.version,
                    task_id=use.task_id,
                    attempt=use.attempt,
                    proplet_id=use.proplet_id,
                    at=format_time(use.at),
                )
                for use in uses.items
            ],
        )
    )


@post("/secret-keys", action=Action.ADMINISTER, gives=Rekeyed, takes_key=False)
async def rekey_secrets(request: HttpRequest) -> ASGIApp:
    """Encrypt all secrets with a new key: one that is made, or the first that the manager is given."""
    found = await context_of(request).manager.secrets.rekey()
    return answer(Rekeyed(secrets=found.secrets, key=found.key_id))


def _named(request: HttpRequest) -> tuple[str, str]:
    """Give the namespace and the name of the secret that a request is about."""
    name = str(request.path_params["name"])
    check_secret_name(name, "name")
    return namespaces.shown(creator_of(request).place(None).namespace), name


def _view(one: StoredSecret) -> SecretView:
    return SecretView(
        name=one.name,
        namespace=one.namespace,
        version=one.version,
        created_at=format_time(one.created_at),
        created_by=one.created_by,
    )


def _version(one: StoredSecret) -> VersionView:
    view = VersionView(version=one.version, created_at=format_time(one.created_at), created_by=one.created_by)
    if one.deleted_at:
        view.deleted_at = format_time(one.deleted_at)
    return view


ENDPOINTS = [list_secrets, set_secret, get_secret, delete_secret, rekey_secrets]

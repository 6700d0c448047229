"""Request bodies as dependencies: read after the caller's key was checked, told to OpenAPI."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from msgqueue.server.limits import read_object
from msgqueue.server.problems import invalid_request

M = TypeVar("M", bound=BaseModel)


def body_of(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """A dependency: the request's body as this model, or the problem with it."""

    async def read(request: Request) -> M:
        return checked(model, await read_object(request))

    return read


def checked(model: type[M], body: Mapping[str, Any]) -> M:
    """The body as this model; every error points into it."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        errors = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise invalid_request(errors) from error


def described(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The `openapi_extra` of a route with this body."""
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """A model's JSON schema with its parts in their places, as no component holds them."""
    schema = model.model_json_schema()
    return dict(_inlined(schema, schema.pop("$defs", {})))


def _inlined(node: Any, parts: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inlined(each, parts) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(parts[node["$ref"].rpartition("/")[2]], parts)
    return {name: _inlined(each, parts) for name, each in node.items()}

"""The JSON schema of policy files, for editors: draft 2020-12, made from the models and every classifier's options.

A rule is told apart by its `use`. A rule of a child policy may leave `use` out, and a third party's classifier has options we do
not know; both may have further keys, which only the loader can judge.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from classifiers.registry import BUILT_IN, Registry
from policies.document import OFF, RULE_NAME, Document, RuleWritten

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FILE = Path(__file__).parent / "schema.json"


def schema(registry: Registry) -> dict[str, Any]:
    """The schema as plain data. Raises `MissingPackageError` where a built-in classifier's options cannot be had without it."""
    whole = Document.model_json_schema(mode="validation")
    definitions: dict[str, Any] = whole.pop("$defs", {})
    own, shared = _parts(RuleWritten.model_json_schema(mode="validation"), definitions)
    names = sorted(BUILT_IN)
    for name in names:
        definitions[f"rule_{name}"] = _variant(name, registry, own, definitions)
    definitions["rule"] = {
        "title": "Rule",
        "description": shared.get("description", ""),
        "type": "object",
        "properties": {**own, "use": _use(names, registry)},
        "allOf": [
            {
                "if": {"properties": {"use": {"const": name}}, "required": ["use"]},
                "then": {"$ref": f"#/$defs/rule_{name}"},
            }
            for name in names
        ],
    }
    off = {"const": OFF, "description": "Takes away the rule of this name that the parent policy has."}
    whole["properties"]["rules"] = {
        "type": "object",
        "description": whole["properties"]["rules"]["description"],
        "propertyNames": {"pattern": RULE_NAME},
        "additionalProperties": {"anyOf": [{"$ref": "#/$defs/rule"}, off]},
    }
    return {"$schema": DIALECT, "title": "Sluicegate policy", **whole, "$defs": dict(sorted(definitions.items()))}


def _parts(model: dict[str, Any], definitions: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A model's properties and the rest of its schema; its own definitions join the common ones."""
    definitions.update(model.pop("$defs", {}))
    return model.pop("properties", {}), model


def _variant(name: str, registry: Registry, own: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    spec = registry.spec(name)
    options, _ = _parts(spec.options.model_json_schema(mode="validation", by_alias=True), definitions)
    return {
        "title": f"Rule with {name}",
        "description": spec.summary,
        "type": "object",
        "properties": {**own, "use": {"const": name, "description": spec.summary}, **options},
        "required": ["use"],  # the rest may stand in the parent policy
        "additionalProperties": False,
    }


def _use(names: list[str], registry: Registry) -> dict[str, Any]:
    known = [{"const": name, "description": registry.spec(name).summary} for name in names]
    third = {"type": "string", "description": "A third party's classifier, by the name of its entry point."}
    return {"description": RuleWritten.model_fields["use"].description, "anyOf": [*known, third]}


def text(registry: Registry) -> str:
    """The schema as the file holds it."""
    return json.dumps(schema(registry), indent=2, ensure_ascii=False, sort_keys=False) + "\n"


def is_fresh(registry: Registry) -> bool:
    """Whether `schema.json` is what the models say now."""
    return FILE.is_file() and FILE.read_text(encoding="utf-8") == text(registry)

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
    rule = RuleWritten.model_json_schema(mode="validation")
    own: dict[str, Any] = rule["properties"]
    for name in sorted(BUILT_IN):
        definitions[f"rule_{name}"] = _variant(name, registry, own, definitions)
    definitions["rule"] = _rule(rule["description"], own, registry)
    whole["properties"]["rules"] = {
        "type": "object",
        "description": whole["properties"]["rules"]["description"],
        "propertyNames": {"pattern": RULE_NAME},
        "additionalProperties": {"anyOf": [{"$ref": "#/$defs/rule"}, _OFF]},
    }
    return {"$schema": DIALECT, "title": "Sluicegate policy", **whole, "$defs": dict(sorted(definitions.items()))}


_OFF = {"const": OFF, "description": "Takes away the rule of this name that the parent policy has."}


def _rule(description: str, own: dict[str, Any], registry: Registry) -> dict[str, Any]:
    """Any rule; where it names a built-in classifier it must be that one's variant."""
    variants = [
        {"if": {"properties": {"use": {"const": name}}, "required": ["use"]}, "then": {"$ref": f"#/$defs/rule_{name}"}}
        for name in sorted(BUILT_IN)
    ]
    known = [{"const": name, "description": registry.spec(name).summary} for name in sorted(BUILT_IN)]
    third = {"type": "string", "description": "A third party's classifier, by the name of its entry point."}
    use = {"description": own["use"]["description"], "anyOf": [*known, third]}
    return {"title": "Rule", "description": description, "type": "object", "properties": {**own, "use": use}, "allOf": variants}


def _variant(name: str, registry: Registry, own: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    spec = registry.spec(name)
    nested = f"#/$defs/{name}_{{model}}"  # two classifiers may have models of one name
    written = spec.options.model_json_schema(mode="validation", by_alias=True, ref_template=nested)
    definitions.update({f"{name}_{key}": value for key, value in written.pop("$defs", {}).items()})
    return {
        "title": f"Rule with {name}",
        "description": spec.summary,
        "type": "object",
        "properties": {**own, "use": {"const": name, "description": spec.summary}, **written.get("properties", {})},
        "required": ["use"],  # the rest may stand in the parent policy
        "additionalProperties": False,
    }


def text(registry: Registry) -> str:
    """The schema as the file holds it."""
    return json.dumps(schema(registry), indent=2, ensure_ascii=False, sort_keys=False) + "\n"


def is_fresh(registry: Registry) -> bool:
    """Whether `schema.json` is what the models say now."""
    return FILE.is_file() and FILE.read_text(encoding="utf-8") == text(registry)

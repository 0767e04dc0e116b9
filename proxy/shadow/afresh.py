"""A request as it came, once more: for a policy that may change other things in it than the first did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from proxy.shadow.glimpse import Glimpse
from proxy.wire.chat import ChatRequest
from proxy.wire.leaves import Leaf


def fresh(glimpse: Glimpse, texts: Sequence[str]) -> ChatRequest:
    """The request of an exchange before anything was done to it, with places of its own. `texts` are those of its leaves."""
    request = glimpse.request
    boxes: dict[int, Any] = {}
    body, system = _apart(glimpse.body, boxes), _apart(request.system, boxes)
    leaves = [_placed(leaf, text, boxes) for leaf, text in zip(request.leaves, texts, strict=True)]
    return replace(request, body=body, system=system, leaves=leaves, indices=list(glimpse.indices))


def _apart(value: Any, boxes: dict[int, Any]) -> Any:
    """Plain data, copied; `boxes` leads from each object and array to its copy."""
    if isinstance(value, dict):
        boxes[id(value)] = made = {key: _apart(one, boxes) for key, one in value.items()}
        return made
    if isinstance(value, list):
        boxes[id(value)] = listed = [_apart(one, boxes) for one in value]
        return listed
    return value


def _placed(leaf: Leaf, text: str, boxes: dict[int, Any]) -> Leaf:
    """The leaf in the copy. What was masked there has its text back."""
    if leaf.box is None:
        return replace(leaf, text=text)
    box = boxes.get(id(leaf.box), {})
    box[leaf.key] = text
    return replace(leaf, text=text, box=box)

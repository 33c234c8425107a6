"""What tests of evaluations share: a protocol in a line."""

from typing import Any

from replicate.evaluation.protocol import Protocol


def protocol(**fields: Any) -> Protocol:
    return Protocol.model_validate(fields)

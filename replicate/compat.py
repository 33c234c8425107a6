"""Doors of other libraries that are not public, in one place: where an update may break, and nowhere else."""

from typing import Any

# --- wandb and wandb-workspaces


def report_specification(report: Any) -> dict[str, Any]:
    """What wandb-workspaces would send of a report: its title, its project and its specification as JSON.

    The library saves reports, but shows their specification nowhere.
    """
    model = report._to_model()
    spec = model.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {"title": model.display_name, "project": model.project.name, "spec": spec}

"""Words for the terminal: one experiment, and all verdicts."""

from pathlib import Path
from typing import Any

from replicate.catalogue import Entry
from replicate.papers import load_paper


def describe(entry: Entry) -> str:
    """The header, the published table and, for each scale, how the experiment departs from the paper."""
    paper = load_paper(entry.paper)
    table = paper.tables[entry.table]
    lines = [entry.header, "", f"{paper.title} ({paper.venue}), {table.locator}: {table.about}", table.protocol]
    for row in table.rows:
        values = ", ".join(f"{column} {value}" for column, value in row.published.items() if value is not None)
        lines.append(f"  {row.variant}: {values}")
    variants = entry.body.get("variants", {})
    lines += ["", f"Variants: {', '.join(map(str, variants))}"]
    for scale in entry.scales:
        for deviation in entry.body.get("deviations", {}).get(scale) or ():
            lines.append(f"Deviation ({scale}): {deviation}")
    return "\n".join(lines)


def verdict_rows(results: Path) -> list[dict[str, Any]]:
    """Every verdict that stands in results/, with its experiment, scale and place in the paper."""
    from replicate.report.write import VERDICTS, read_verdicts

    rows = []
    for path in sorted(results.glob(f"*/*/{VERDICTS}")):
        data = read_verdicts(path)
        place = {key: data[key] for key in ("experiment", "scale", "paper", "locator")}
        rows += [{**place, **verdict} for verdict in data["verdicts"]]
    return rows


def verdict_text(rows: list[dict[str, Any]]) -> str:
    """One paragraph a verdict."""
    if not rows:
        return "No verdicts yet: run an experiment, or `replicate report`."
    return "\n".join(
        f"{row['outcome']:>12}  {row['paper']} {row['locator']}: {row['statement']}\n"
        f"{'':>14}{row['experiment']} at {row['scale']} scale: {row['detail']}"
        for row in rows
    )

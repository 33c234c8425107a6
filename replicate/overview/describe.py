"""Words for the terminal: one experiment."""

from replicate.experiments.catalogue import Entry
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

"""A page of the site as tests read it."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """What a test asks of a page: ids, links, resources, tables as rows of cells, texts of elements by class."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.resources: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.labels: list[str] = []
        self._table, self._cell = "", False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids += [found["id"]] if "id" in found else []
        self.labels += [found["aria-label"]] if "aria-label" in found else []
        if tag == "a":
            self.links.append(found["href"])
        elif "src" in found or tag == "link":
            self.resources.append(found.get("src") or found["href"])
        if tag == "table":
            self._table = found.get("id", "")
            self.tables[self._table] = []
        elif tag == "tr":
            self.tables[self._table].append([])
        elif tag in ("td", "th"):
            self.tables[self._table][-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.tables[self._table][-1][-1] += data

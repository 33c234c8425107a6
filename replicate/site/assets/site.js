// Sorting, filtering, searching, dark mode and the charts' tooltips. Pages can be read without any of it.
"use strict";
(() => {
  const page = document.documentElement;
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];

  // --- dark mode: the system's choice until the button is used -------------------------------------------------------
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (page.dataset.theme ? page.dataset.theme === "dark" : system.matches);
  const tellTheme = () => button.setAttribute("aria-pressed", String(dark()));
  button.addEventListener("click", () => {
    page.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("theme", page.dataset.theme); } catch { /* a browser may refuse storage to files */ }
    tellTheme();
  });
  system.addEventListener("change", tellTheme);
  tellTheme();

  // --- sorting -------------------------------------------------------------------------------------------------------
  const key = (row, column) => {
    const cell = row.cells[column];
    const text = (cell.dataset.v ?? cell.textContent).trim();
    const number = parseFloat(text.replace(/,/g, ""));
    return { text, number: /^[-+]?[.\d]/.test(text) ? number : NaN, empty: text === "" || text === "–" };
  };
  const compare = (a, b) => {
    if (Number.isFinite(a.number) && Number.isFinite(b.number)) return a.number - b.number;
    return a.text.localeCompare(b.text, "en", { numeric: true });
  };
  const sortBy = (table, head) => {
    const falling = head.getAttribute("aria-sort") === "ascending";
    all("thead th", table).forEach((th) => th.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].map((row) => ({ row, key: key(row, head.cellIndex) }));
    // what is not there stays at the end, whichever way the others go
    rows.sort((a, b) => a.key.empty - b.key.empty || (falling ? -1 : 1) * compare(a.key, b.key));
    table.tBodies[0].append(...rows.map(({ row }) => row));
  };
  all("table.sortable").forEach((table) => {
    all("thead th", table).forEach((head) => {
      const sorter = document.createElement("button");
      sorter.type = "button";
      // a button holds no link: beside one it stands alone
      if (head.querySelector("a")) sorter.setAttribute("aria-label", `Sort by ${head.textContent.trim()}`);
      else sorter.append(...head.childNodes);
      head.append(sorter);
      head.setAttribute("aria-sort", "none");
      sorter.addEventListener("click", () => sortBy(table, head));
    });
  });

  // --- filters -------------------------------------------------------------------------------------------------------
  const words = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);
  const answered = (tokens, outcome, scale) =>
    tokens.some((token) => (!outcome || token.startsWith(`${outcome}@`)) && (!scale || token.endsWith(`@${scale}`)));
  const filter = (form) => {
    const table = document.getElementById(form.dataset.table);
    const { text = "", outcome = "", scale = "", ...same } = Object.fromEntries(new FormData(form));
    const wanted = words(text);
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      row.words ??= row.textContent.toLowerCase();
      row.hidden = !(
        wanted.every((word) => row.words.includes(word)) &&
        Object.entries(same).every(([name, value]) => !value || row.dataset[name] === value) &&
        ((!outcome && !scale) || answered(row.dataset.answers.split(" "), outcome, scale))
      );
      shown += row.hidden ? 0 : 1;
    }
    const total = table.tBodies[0].rows.length;
    form.querySelector("output").value = `${shown === total ? "" : `${shown} of `}${total} ${table.dataset.noun}`;
  };
  // What is chosen stands in the address, as #matrix?outcome=holds, so that it can be shared and the back button works.
  // In the fragment, since a page that is opened from a file may change nothing else of its address.
  const address = (form) => {
    const chosen = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    return `#${form.dataset.table}${chosen.size ? `?${chosen}` : ""}`;
  };
  const remember = (form, step) => {
    if (address(form) !== location.hash) history[step ? "pushState" : "replaceState"](null, "", address(form));
  };
  const restore = () => all("form.filters").forEach((form) => {
    const [table, chosen = ""] = location.hash.slice(1).split("?");
    const values = new URLSearchParams(table === form.dataset.table ? chosen : "");
    [...form.elements].forEach((field) => { if (field.name) field.value = values.get(field.name) ?? ""; });
    filter(form);
  });
  all("form.filters").forEach((form) => {
    form.addEventListener("input", (event) => { filter(form); remember(form, event.target.matches?.("select")); });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(() => { filter(form); remember(form, true); }));
  });
  addEventListener("popstate", restore);
  restore();
  const first = document.getElementById(location.hash.slice(1).split("?")[0]);
  if (first && location.hash.includes("?")) first.scrollIntoView();
  all(".tile").forEach((tile) => tile.addEventListener("click", () => {
    const form = document.querySelector(`form.filters[data-table="${tile.dataset.form}"]`);
    form.reset();
    form.elements.outcome.value = tile.dataset.outcome;
    filter(form);
    remember(form, true);
    form.scrollIntoView();
  }));

  // --- search over the whole site ------------------------------------------------------------------------------------
  const input = document.getElementById("search");
  const list = document.getElementById("found");
  const MOST = 12;
  let chosen = -1;
  const choose = (place) => {
    chosen = place;
    [...list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === place)));
    const item = list.children[place];
    input.setAttribute("aria-activedescendant", item ? item.id : "");
    item?.scrollIntoView({ block: "nearest" });
  };
  const close = () => { list.hidden = true; input.setAttribute("aria-expanded", "false"); choose(-1); };
  const open = (item) => { location.href = document.body.dataset.root + item.dataset.page; close(); };
  const entry = ([kind, text, where, target], index) => {
    const item = document.createElement("li");
    const small = document.createElement("small");
    small.textContent = `${kind} · ${where}`;
    item.append(text, small);
    Object.assign(item, { id: `found-${index}`, role: "option" });
    item.setAttribute("role", "option");
    item.dataset.page = target;
    item.addEventListener("mousedown", (event) => { event.preventDefault(); open(item); });
    return item;
  };
  const search = () => {
    const wanted = words(input.value);
    if (!wanted.length) return close();
    const hits = window.SEARCH.filter(([kind, text, where, target]) =>
      wanted.every((word) => `${kind} ${text} ${where} ${target}`.toLowerCase().includes(word)));
    list.replaceChildren(...hits.slice(0, MOST).map(entry));
    if (!hits.length) list.append(Object.assign(document.createElement("li"), { textContent: "Nothing found" }));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    choose(hits.length ? 0 : -1);
  };
  input.addEventListener("input", search);
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    const count = all("[data-page]", list).length;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") close();
    if (step && count) { event.preventDefault(); choose((chosen + step + count) % count); }
    if (event.key === "Enter" && chosen >= 0) open(list.children[chosen]);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest("input, select, textarea")) return;
    event.preventDefault();
    input.focus();
  });

  // --- tooltips ------------------------------------------------------------------------------------------------------
  const tip = document.getElementById("tip");
  const showTip = (content, x, y) => {
    tip.replaceChildren(content);
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = x + 14 + box.width > innerWidth ? x - box.width - 14 : x + 14;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${Math.max(8, Math.min(y + 14, innerHeight - box.height - 8))}px`;
  };
  const hideTip = () => { tip.hidden = true; };
  all("[data-tip]").forEach((row) => {
    const show = (x, y) => showTip(document.createTextNode(row.dataset.tip), x, y);
    row.addEventListener("pointermove", (event) => show(event.clientX, event.clientY));
    row.addEventListener("pointerleave", hideTip);
    row.addEventListener("focus", () => { const box = row.getBoundingClientRect(); show(box.left + box.width / 2, box.bottom - 10); });
    row.addEventListener("blur", hideTip);
  });

  // --- curves: values under the pointer or the arrow keys, and which curves are shown -----------------------------------
  all("figure.curves").forEach((figure) => {
    const { along, at, series } = JSON.parse(figure.querySelector("script").textContent);
    const plot = figure.querySelector(".plot");
    const area = figure.querySelector(".area");
    const cross = figure.querySelector(".cross");
    const off = new Set();
    let place = -1;
    const table = (x) => {
      const made = document.createElement("table");
      made.createCaption().textContent = `${along} ${x}`;
      made.caption.style.color = "inherit";
      series.forEach(({ name, y }, index) => {
        if (off.has(index) || !(x in y)) return;
        const row = made.insertRow();
        row.insertCell().textContent = name;
        row.insertCell().textContent = y[x];
      });
      return made;
    };
    const show = (index, x, y) => {
      place = index;
      const [text, percent] = at[index];
      cross.setAttribute("x1", `${percent}%`);
      cross.setAttribute("x2", `${percent}%`);
      cross.setAttribute("visibility", "visible");
      const box = area.getBoundingClientRect();
      showTip(table(text), x ?? box.left + box.width * percent / 100, y ?? box.top + box.height / 3);
    };
    const hide = () => { cross.setAttribute("visibility", "hidden"); hideTip(); };
    plot.addEventListener("pointermove", (event) => {
      const box = area.getBoundingClientRect();
      const percent = 100 * (event.clientX - box.left) / box.width;
      const far = at.map(([, where]) => Math.abs(where - percent));
      show(far.indexOf(Math.min(...far)), event.clientX, event.clientY);
    });
    plot.addEventListener("pointerleave", hide);
    plot.addEventListener("blur", hide);
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (event.key === "Escape") hide();
      if (!step) return;
      event.preventDefault();
      show(Math.max(0, Math.min(at.length - 1, place + step)));
    });
    all(".keys button", figure).forEach((toggle) => toggle.addEventListener("click", () => {
      const index = Number(toggle.dataset.series);
      const hidden = !off.delete(index);
      if (hidden) off.add(index);
      toggle.setAttribute("aria-pressed", String(!hidden));
      figure.querySelector(`g[data-series="${index}"]`).style.display = hidden ? "none" : "";
    }));
  });

  // --- copying, and printing with everything unfolded -------------------------------------------------------------------
  all(".copy").forEach((copy) => copy.addEventListener("click", async () => {
    const code = copy.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code); // no clipboard for files in some browsers: select, so that Ctrl-C does
      copy.textContent = "Selected";
    }
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  }));
  let folded = [];
  addEventListener("beforeprint", () => { folded = all("details:not([open])"); folded.forEach((part) => { part.open = true; }); });
  addEventListener("afterprint", () => folded.forEach((part) => { part.open = false; }));
})();

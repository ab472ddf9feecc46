"use strict";

/* Sorting of tables by their headings, and filters for the whole page. */
(() => {
  const infinite = { inf: Infinity, "-inf": -Infinity };

  /** Return the key by which a cell is sorted: a number in columns with numbers, null if the cell has none. */
  function key(cell, kind) {
    const value = cell.dataset.value;
    if (value === "") return null;
    if (kind !== "numbers") return value;
    const number = infinite[value] ?? Number(value);
    return Number.isNaN(number) ? null : number;
  }

  function compare(one, two) {
    if (one === two) return 0;
    return typeof one === "number" ? one - two : one.localeCompare(two, undefined, { numeric: true });
  }

  function sort(table, head) {
    const place = [...head.parentElement.children].indexOf(head);
    const first = head.dataset.order === "descending" ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    const sign = order === "ascending" ? 1 : -1;
    // Each part of a table is sorted separately, so that incomplete methods stay below.
    for (const body of table.tBodies) {
      const rows = [...body.rows].map((row) => [key(row.cells[place], head.dataset.kind), row]);
      rows.sort(([one], [two]) => {
        if (one === null || two === null) return (one === null) - (two === null);
        return sign * compare(one, two);
      });
      body.append(...rows.map(([, row]) => row));
    }
    for (const each of head.parentElement.children) {
      if (each.hasAttribute("aria-sort")) each.setAttribute("aria-sort", each === head ? order : "none");
    }
    iqbench.say(`Sorted by ${head.innerText.replace("?", "").trim()}, ${order}`);
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    table.tHead.addEventListener("click", (event) => {
      const button = event.target.closest("button.sort");
      if (button) sort(table, button.closest("th"));
    });
  }

  const form = document.getElementById("filters");
  if (!form) return;
  const field = (id) => document.getElementById(id)?.value ?? "";

  function filter() {
    const [dataset, task, protocol] = ["dataset", "task", "protocol"].map((name) => field(`filter-${name}`));
    const method = field("filter-method").toLowerCase();
    const metrics = new Set(
      [...form.querySelectorAll("input[name=metric]:checked")].map((box) => box.value),
    );
    const wanted = (element) =>
      (!dataset || element.dataset.dataset === dataset) &&
      (!task || element.dataset.task === undefined || element.dataset.task === task || inTask(element, task));
    let shown = 0;
    for (const element of document.querySelectorAll("[data-dataset]")) {
      const protocols = JSON.parse(element.dataset.protocols ?? "null");
      const seen = !protocol || protocols === null || protocols.includes(protocol);
      element.hidden = !(wanted(element) && seen);
      shown += !element.hidden && element.classList.contains("block") && protocols !== null;
    }
    for (const cell of document.querySelectorAll("[data-metric]")) {
      const other = protocol && cell.dataset.protocol && cell.dataset.protocol !== protocol;
      cell.hidden = !metrics.has(cell.dataset.metric) || Boolean(other);
    }
    iqbench.shows = (metric) => metrics.has(metric);
    document.dispatchEvent(new Event("iqbench:metrics"));
    const verdict = field("filter-verdict");
    let rows = 0;
    for (const row of document.querySelectorAll("tr[data-method], tr[data-row-metric]")) {
      const { method: name, rowMetric, verdict: own } = row.dataset;
      const seen =
        (name === undefined || name.toLowerCase().includes(method)) &&
        (!verdict || (own ?? verdict) === verdict);
      row.hidden = !seen || (rowMetric !== undefined && !metrics.has(rowMetric));
      rows += name !== undefined && !row.hidden && !row.closest("[hidden]");
    }
    document.getElementById("nothing").hidden = rows > 0;
    const boxes = form.querySelectorAll("input[name=metric]").length;
    const count = document.getElementById("metric-count");
    if (count) count.textContent = `${metrics.size}/${boxes}`;
    iqbench.say(`${rows} rows in ${shown} tables`);
    if (dataset) document.dispatchEvent(new CustomEvent("iqbench:dataset", { detail: dataset }));
  }

  /** Pictures and correlations have only a dataset to filter by. */
  function inTask(element, task) {
    if (element.dataset.task) return false;
    const name = element.dataset.dataset;
    return [...document.querySelectorAll(".block[data-task]")].some(
      (block) => block.dataset.dataset === name && name && block.dataset.task === task,
    );
  }

  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && event.target.closest("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
  // Browsers restore the chosen filters after a reload.
  filter();
})();

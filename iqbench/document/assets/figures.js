"use strict";

/* Figures: each is drawn when it is nearly visible, and again when colours, paper or its choices change. */
(() => {
  const many = 3000; // points from which a figure waits until somebody comes to it
  const paper = 660; // pixels across a printed page
  const drawn = new Map(); // by element, how its figure is made
  let printing = false;

  /**
   * Draw a figure into an element. `make` returns the name of the file that is saved, traces, layout,
   * possibly the height and the height of a row, as in the document, and a description; or a
   * sentence if there is no figure. Returns the function that draws it again.
   */
  iqbench.figure = (place, make) => {
    drawn.set(place, { make, near: false, made: false });
    watcher.observe(place);
    return () => draw(place);
  };

  async function draw(place) {
    const one = drawn.get(place);
    if (!one.near) return;
    let figure = one.make();
    if (typeof figure !== "string" && !window.Plotly) {
      try {
        await iqbench.plotly();
        figure = one.make(); // meanwhile something else may have been chosen
      } catch {
        figure = "This browser cannot unpack plotly.js: plots need a browser of 2024 or later.";
      }
    }
    if (typeof figure === "string") {
      if (one.made) window.Plotly.purge(place);
      one.made = false;
      place.replaceChildren(iqbench.element("p", { class: "muted" }, figure));
    } else {
      await show(place, one, figure);
    }
    place.dataset.drawn = figure.shows ?? "";
    next();
  }

  async function show(place, one, figure) {
    const first = !one.made;
    if (first) place.replaceChildren();
    one.made = true;
    const { traces, layout } = fitted(iqbench.painted(figure), printing ? paper : place.clientWidth);
    const rows = figure.row ? figure.row * traces[0].y.length : 0;
    place.style.height = figure.height ? `${figure.height + rows}px` : "";
    const size = printing ? { width: paper, height: place.clientHeight } : {};
    const config = iqbench.config(figure.name);
    await window.Plotly.react(place, traces, iqbench.layout({ ...layout, ...size }), config);
    if (first) {
      place.on("plotly_click", ({ points }) =>
        place.dispatchEvent(new CustomEvent("iqbench:point", { detail: points[0], bubbles: true })),
      );
    }
    await iqbench.label(place);
  }

  const shortened = (name, signs) => iqbench.plain(iqbench.short(iqbench.text(name), signs));

  /** Shorten names to the available width, and leave out metrics that a filter hides. */
  function fitted({ traces, layout }, across) {
    const signs = Math.max(12, Math.min(48, Math.floor(across / 20)));
    for (const axis of Object.values(layout)) {
      if (axis?.ticktext) axis.ticktext = axis.ticktext.map((name) => shortened(name, signs));
    }
    for (const note of layout.annotations ?? []) note.text = shortened(note.text, signs);
    return {
      layout,
      traces: traces.map((trace) =>
        trace.type === "heatmap"
          ? shown(trace, across)
          : { ...trace, ...(trace.name && { name: shortened(trace.name, 24) }) },
      ),
    };
  }

  function shown(trace, across) {
    const [some, others] = ["x", "y"].map((axis) =>
      [...trace[axis].keys()].filter((at) => iqbench.shows(trace.meta[axis][at])),
    );
    const known = (row, column) => trace.z[row][column] !== null;
    const columns = some.filter((column) => others.some((row) => known(row, column)));
    const rows = others.filter((row) => some.some((column) => known(row, column)));
    const numbers = 45 * columns.length < across - 200; // else they would lie on each other
    return {
      ...trace,
      texttemplate: numbers ? trace.texttemplate : "",
      x: columns.map((at) => trace.x[at]),
      y: rows.map((at) => trace.y[at]),
      z: rows.map((row) => columns.map((column) => trace.z[row][column])),
      meta: { x: columns.map((at) => trace.meta.x[at]), y: rows.map((at) => trace.meta.y[at]) },
    };
  }

  /** Draw the other figures while the page is idle, so that they can be printed. */
  function next() {
    const left = [...drawn.keys()].find((place) => {
      const one = drawn.get(place);
      return !one.near && (one.light ??= points(one.make()) <= many);
    });
    if (left) (window.requestIdleCallback ?? setTimeout)(() => come(left));
  }

  const points = ({ traces }) => (traces ?? []).reduce((sum, { x }) => sum + (x?.length ?? 0), 0);

  function come(place) {
    watcher.unobserve(place);
    drawn.get(place).near = true;
    draw(place);
  }

  const watcher = new IntersectionObserver(
    (seen) => seen.filter((each) => each.isIntersecting).forEach(({ target }) => come(target)),
    { rootMargin: "300px" },
  );
  const again = () => [...drawn.keys()].forEach(draw);
  document.addEventListener("iqbench:theme", again);

  /* Printed figures are light, whatever the colours on the screen, and not wider than the paper. */
  for (const [event, start] of [["beforeprint", true], ["afterprint", false]]) {
    addEventListener(event, () => {
      printing = start;
      iqbench.light(start);
      again();
    });
  }

  for (const figure of JSON.parse(document.getElementById("figures")?.textContent ?? "[]")) {
    const redraw = iqbench.figure(document.getElementById(`figure-${figure.name}`), () => figure);
    if (figure.traces.some(({ type }) => type === "heatmap")) {
      document.addEventListener("iqbench:metrics", redraw);
    }
  }
})();

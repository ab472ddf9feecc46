"use strict";

/* The plots: drawn when they come near, and again when what they show changes. */
(() => {
  const data = iqbench.data();
  if (!data) return;
  const get = (id) => document.getElementById(id);
  const figures = { front: get("plot-front"), spread: get("plot-spread"), scatter: get("plot-scatter") };
  const choices = { spread: get("spread-metric"), x: get("scatter-x"), y: get("scatter-y") };
  const webgl = () => Boolean(document.createElement("canvas").getContext("webgl"));
  const near = new Set();
  const made = new Set();
  const paper = 660; // pixels across a printed page
  let printing = false;
  let dataset = data.datasets[0];

  const say = (figure, text) => figure.replaceChildren(iqbench.element("p", { class: "muted" }, text));

  async function draw(name) {
    if (!near.has(name) || !dataset) return;
    const figure = figures[name];
    const make = { front, spread, scatter }[name];
    let drawn = make();
    if (typeof drawn !== "string" && !window.Plotly) {
      try {
        await iqbench.plotly();
      } catch {
        say(figure, "This browser cannot unpack plotly.js: plots need one of 2024 or later.");
        return;
      }
      drawn = make(); // meanwhile something else may have been chosen
    }
    figure.dataset.drawn = dataset.name;
    if (typeof drawn === "string") {
      if (made.delete(name)) window.Plotly.purge(figure);
      say(figure, drawn);
    } else {
      await show(name, drawn);
    }
    next();
  }

  async function show(name, drawn) {
    const figure = figures[name];
    const first = !made.has(name);
    if (first) figure.replaceChildren();
    made.add(name);
    figure.style.height = drawn.height ? `${drawn.height}px` : "";
    if (printing) Object.assign(drawn.layout, { width: paper, height: figure.clientHeight });
    await window.Plotly.react(figure, drawn.traces, drawn.layout, iqbench.config(`${name}-${dataset.name}`));
    if (first) figure.on("plotly_click", pick);
  }

  /** Draw the others while nothing else is to be done, so that they are there for paper. */
  function next() {
    const left = Object.keys(figures).find((name) => !near.has(name));
    if (!left || dataset.methods.length * dataset.images.length > data.many) return;
    (window.requestIdleCallback ?? setTimeout)(() => {
      near.add(left);
      draw(left);
    });
  }

  /** How wide a plot is, or will be on paper. */
  const across = (figure) => (printing ? paper : figure.clientWidth);

  function front() {
    const found = dataset.front;
    if (!found) return "This dataset lacks a fidelity metric and a perceptual one that its methods have in common.";
    return iqbench.front(found, { width: across(figures.front), height: figures.front.clientHeight });
  }

  /** One method's finite values, and the numbers of their images. */
  function ofMethod(values, method) {
    const count = dataset.images.length;
    const found = { values: [], images: [] };
    for (let image = 0; image < count; image += 1) {
      const value = values[method * count + image];
      if (Number.isFinite(value)) {
        found.values.push(value);
        found.images.push(image);
      }
    }
    return found;
  }

  /** Whether an output can be seen: its image is in a scene that has this method's picture. */
  const pictured = (method, image) => dataset.scenes[image]?.methods.includes(method) ?? false;
  const somePictures = () => Object.keys(dataset.scenes).length > 0;

  /** A metric's name and number, as plotly's templates have them. */
  const value = (axis, name) =>
    `${iqbench.plain(name)} %{${axis}:.${iqbench.column(name)?.decimals ?? 4}f}`;

  function spread() {
    const name = choices.spread.value;
    const values = iqbench.values(dataset, name);
    if (!values) return "This file has no values by image of this dataset and metric.";
    const few = dataset.images.length <= 60;
    const order = [...dataset.order].reverse(); // plotly counts upwards
    const traces = order.map((method, place) => {
      const { values: own, images } = ofMethod(values, method);
      const seen = [...images.keys()].filter((at) => pictured(method, images[at]));
      return {
        type: "box",
        orientation: "h",
        y0: place,
        x: own,
        customdata: images.map((image) => [method, image]),
        text: images.map((image) => iqbench.plain(dataset.images[image])),
        boxpoints: few ? "all" : "outliers",
        jitter: 0.5,
        pointpos: 0,
        hoveron: "points",
        hovertemplate: `%{text}<br>${value("x", name)}<extra></extra>`,
        line: { color: iqbench.color("--accent"), width: 1.2 },
        fillcolor: iqbench.color("--wash"),
        marker: { color: iqbench.color("--accent"), size: 4, opacity: 0.7 },
        ...(somePictures() && {
          selectedpoints: seen,
          selected: { marker: { opacity: 1 } },
          unselected: { marker: { opacity: 0.25 } },
        }),
      };
    });
    const signs = Math.max(12, Math.min(48, Math.floor(across(figures.spread) / 20)));
    const layout = iqbench.layout({
      // What does not fit on a screen has its numbers at the top.
      xaxis: iqbench.axis(name, order.length > 20 ? { side: "top" } : {}),
      yaxis: {
        automargin: true,
        ticks: "",
        tickfont: { size: 12 },
        tickvals: order.map((_, place) => place),
        ticktext: order.map((method) => iqbench.plain(iqbench.short(dataset.methods[method], signs))),
        range: [-0.6, order.length - 0.4],
        zeroline: false,
      },
    });
    return { traces, layout, height: Math.max(260, 90 + 26 * traces.length) };
  }

  function scatter() {
    const [right, up] = [choices.x.value, choices.y.value];
    const values = [right, up].map((name) => iqbench.values(dataset, name));
    if (values.includes(null)) return "This file has no values by image of this dataset and metric.";
    const count = dataset.images.length;
    const type = dataset.methods.length * count > data.many && webgl() ? "scattergl" : "scatter";
    const traces = dataset.order.map((method, place) => {
      const images = [...Array(count).keys()].filter((image) =>
        values.every((column) => Number.isFinite(column[method * count + image])),
      );
      const mark = iqbench.mark(place);
      return {
        type,
        mode: "markers",
        name: iqbench.plain(iqbench.short(dataset.methods[method], 24)),
        meta: [iqbench.plain(iqbench.short(dataset.methods[method], 80))],
        x: images.map((image) => values[0][method * count + image]),
        y: images.map((image) => values[1][method * count + image]),
        customdata: images.map((image) => [method, image]),
        text: images.map((image) => iqbench.plain(dataset.images[image])),
        hovertemplate: `%{text}<br>%{meta[0]}<br>${value("x", right)}<br>${value("y", up)}<extra></extra>`,
        marker: {
          ...mark,
          symbol: somePictures()
            ? images.map((image) => mark.symbol + (pictured(method, image) ? "" : "-open"))
            : mark.symbol,
          size: type === "scatter" ? 8 : 5,
          opacity: 0.8,
        },
      };
    });
    const layout = iqbench.layout({
      xaxis: iqbench.axis(right),
      yaxis: iqbench.axis(up),
      showlegend: true,
      legend: innerWidth < 700 ? { orientation: "h", y: -0.2 } : { itemsizing: "constant" },
      margin: { l: 56, r: 16, t: 40, b: 48 }, // the buttons stand above the legend
    });
    return { traces, layout };
  }

  function pick(event) {
    const chosen = event.points[0]?.customdata;
    if (!chosen) return;
    const [method, image] = chosen;
    const number = pictured(method, image) ? dataset.scenes[image].scene : undefined;
    const label = `${dataset.images[image]} by ${dataset.methods[method]}`;
    get("picked").textContent =
      number === undefined ? `${label}: its picture is not in this file.` : `${label}.`;
    if (number !== undefined) iqbench.open(number, dataset.methods[method]);
  }

  function choose(name) {
    dataset = data.datasets.find((one) => one.name === name) ?? dataset;
    const place = String(data.datasets.indexOf(dataset));
    for (const select of document.querySelectorAll(".dataset-choice")) select.value = place;
    const options = Object.keys(dataset.values).map((each) => [each, iqbench.column(each).label]);
    const perceptual = options.find(([each]) => each.startsWith("lpips")) ?? options[1] ?? options[0];
    for (const [role, select] of Object.entries(choices)) {
      const before = select.value;
      iqbench.fill(select, options);
      if (!before) select.value = role === "y" ? perceptual?.[0] ?? "" : dataset.ranked;
      if (!select.value && options.length) [[select.value]] = options;
    }
    for (const each of Object.keys(figures)) draw(each);
  }

  for (const select of document.querySelectorAll(".dataset-choice")) {
    select.addEventListener("change", () => choose(data.datasets[Number(select.value)].name));
  }
  document.addEventListener("iqbench:dataset", (event) => choose(event.detail));
  document.addEventListener("iqbench:theme", () => Object.keys(figures).forEach(draw));
  choices.spread.addEventListener("change", () => draw("spread"));
  choices.x.addEventListener("change", () => draw("scatter"));
  choices.y.addEventListener("change", () => draw("scatter"));
  for (const cell of document.querySelectorAll(".matrix button")) {
    cell.addEventListener("click", () => {
      choose(cell.closest("[data-dataset]").dataset.dataset);
      [choices.x.value, choices.y.value] = [cell.dataset.x, cell.dataset.y];
      draw("scatter");
      get("scatter").scrollIntoView();
      choices.x.focus({ preventScroll: true });
    });
  }

  /* What is printed is light, whatever the screen is, and no wider than paper. */
  for (const [event, start] of [["beforeprint", true], ["afterprint", false]]) {
    addEventListener(event, () => {
      printing = start;
      iqbench.light(start);
      Object.keys(figures).forEach(draw);
    });
  }

  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries.filter((each) => each.isIntersecting)) {
        watcher.unobserve(entry.target);
        const [name] = Object.entries(figures).find(([, figure]) => figure === entry.target);
        near.add(name);
        draw(name);
      }
    },
    { rootMargin: "300px" },
  );
  choose(dataset?.name);
  for (const figure of Object.values(figures)) watcher.observe(figure);
})();

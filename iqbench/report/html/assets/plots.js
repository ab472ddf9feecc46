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
  const wide = new Set();
  let dataset = data.datasets[0];

  const say = (figure, text) => figure.replaceChildren(iqbench.element("p", { class: "muted" }, text));

  const lower = (name) => iqbench.column(name)?.direction === "lower";

  async function draw(name) {
    if (!near.has(name) || !dataset) return;
    const figure = figures[name];
    const made = { front, spread, scatter }[name]();
    if (typeof made === "string") {
      if (wide.delete(name)) window.Plotly.purge(figure);
      say(figure, made);
      return;
    }
    let plotly;
    try {
      plotly = await iqbench.plotly();
    } catch {
      say(figure, "This browser cannot unpack plotly.js: plots need one of 2024 or later.");
      return;
    }
    if (!wide.has(name)) figure.replaceChildren();
    figure.style.height = made.height ? `${made.height}px` : "";
    await plotly.react(figure, made.traces, made.layout, iqbench.config);
    if (!wide.has(name)) {
      wide.add(name);
      figure.on("plotly_click", pick);
    }
    figure.dataset.drawn = dataset.name;
  }

  function front() {
    const found = dataset.front;
    if (!found) return "This dataset lacks a fidelity metric and a perceptual one that its methods have in common.";
    const [across, up] = found.axes;
    const few = found.points.length <= (innerWidth < 700 ? 4 : 14);
    // Names of neighbours stand above and below by turns, so that they overlap less.
    const inOrder = [...found.points].sort((one, two) => one.at[0][0] - two.at[0][0]);
    const places = new Map(inOrder.map((point, at) => [point, at % 2 ? "bottom center" : "top center"]));
    const trace = (points, more) => ({
      type: "scatter",
      x: points.map((point) => point.at[0][0]),
      y: points.map((point) => point.at[1][0]),
      error_x: bars(points, 0),
      error_y: bars(points, 1),
      text: points.map((point) => iqbench.plain(point.method)),
      textposition: points.map((point) => places.get(point)),
      mode: few ? "markers+text" : "markers",
      hovertemplate: `%{text}<br>${iqbench.plain(across)} %{x}<br>${iqbench.plain(up)} %{y}<extra></extra>`,
      ...more,
    });
    const on = found.points.filter((point) => point.front).sort((one, two) => one.at[0][0] - two.at[0][0]);
    const off = found.points.filter((point) => !point.front && point.complete);
    const rest = found.points.filter((point) => !point.complete);
    const traces = [
      trace(off, { name: "beaten", marker: { color: iqbench.color("--muted"), size: 9 } }),
      trace(rest, { name: "incomplete", marker: { color: iqbench.color("--muted"), size: 9, symbol: "circle-open" } }),
      trace(on, {
        name: "on the front",
        mode: on.length <= 20 ? "lines+markers+text" : "lines+markers",
        line: { color: iqbench.color("--accent"), width: 1.5, dash: "dot" },
        marker: { color: iqbench.color("--accent"), size: 11, symbol: "diamond" },
      }),
    ].filter((one) => one.x.length);
    const layout = iqbench.layout({
      xaxis: iqbench.axis(across, { autorange: lower(across) ? "reversed" : true }),
      yaxis: iqbench.axis(up, { autorange: lower(up) ? "reversed" : true }),
      showlegend: true,
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
      margin: { l: 56, r: 16, t: 36, b: 48 },
    });
    return { traces, layout };
  }

  function bars(points, place) {
    const ends = points.map((point) => point.at[place]);
    return {
      type: "data",
      symmetric: false,
      array: ends.map(([mean, , high]) => (high === null ? 0 : high - mean)),
      arrayminus: ends.map(([mean, low]) => (low === null ? 0 : mean - low)),
      color: iqbench.color("--bar"),
      thickness: 1,
      width: 0,
    };
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

  function spread() {
    const name = choices.spread.value;
    const values = iqbench.values(dataset, name);
    if (!values) return "This file has no values by image of this dataset and metric.";
    const few = dataset.images.length <= 60;
    const order = [...dataset.order].reverse(); // plotly counts upwards
    const traces = order.map((method) => {
      const { values: own, images } = ofMethod(values, method);
      return {
        type: "box",
        orientation: "h",
        name: iqbench.plain(dataset.methods[method]),
        x: own,
        customdata: images.map((image) => [method, image]),
        text: images.map((image) => iqbench.plain(dataset.images[image])),
        boxpoints: few ? "all" : "outliers",
        jitter: 0.5,
        pointpos: 0,
        hoveron: "points",
        hovertemplate: "%{text}: %{x}<extra></extra>",
        line: { color: iqbench.color("--accent"), width: 1.2 },
        fillcolor: iqbench.color("--wash"),
        marker: { color: iqbench.color("--accent"), size: 4, opacity: 0.7 },
      };
    });
    const layout = iqbench.layout({
      xaxis: iqbench.axis(name),
      yaxis: { automargin: true, ticks: "", tickfont: { size: 12 } },
    });
    return { traces, layout, height: Math.max(260, 90 + 26 * traces.length) };
  }

  function scatter() {
    const [across, up] = [choices.x.value, choices.y.value];
    const values = [across, up].map((name) => iqbench.values(dataset, name));
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
        name: iqbench.plain(dataset.methods[method]),
        x: images.map((image) => values[0][method * count + image]),
        y: images.map((image) => values[1][method * count + image]),
        customdata: images.map((image) => [method, image]),
        text: images.map((image) => iqbench.plain(dataset.images[image])),
        hovertemplate: "%{text}<br>%{fullData.name}<br>%{x}, %{y}<extra></extra>",
        marker: { ...mark, size: type === "scatter" ? 7 : 5, opacity: 0.75 },
      };
    });
    const layout = iqbench.layout({
      xaxis: iqbench.axis(across),
      yaxis: iqbench.axis(up),
      showlegend: true,
      legend: innerWidth < 700 ? { orientation: "h", y: -0.2 } : { itemsizing: "constant" },
    });
    return { traces, layout };
  }

  function pick(event) {
    const chosen = event.points[0]?.customdata;
    if (!chosen) return;
    const [method, image] = chosen;
    const number = dataset.scenes[image];
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

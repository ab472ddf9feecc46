"use strict";

/* The figures of a dataset and of metrics that the reader chooses, and the pictures that their points open. */
(() => {
  const data = iqbench.data();
  if (!data?.datasets.length) return;
  const get = (id) => document.getElementById(id);
  const choices = { boxes: { x: get("boxes-x") }, scatter: { x: get("scatter-x"), y: get("scatter-y") } };
  const lacking = {
    front: "This plot needs a fidelity metric and a perceptual metric that all methods of this dataset have.",
    boxes: "This file has no values of single images for this dataset and metric.",
    scatter: "This file has no values of single images for two metrics of this dataset.",
  };
  const webgl = () => Boolean(document.createElement("canvas").getContext("webgl"));
  let dataset = data.datasets[0];

  /** Return whether an output can be shown: its image is in a scene with this method's picture. */
  const pictured = (method, image) => dataset.scenes[image]?.methods.includes(method) ?? false;

  function make(name) {
    const found = dataset.figures[name];
    const figure = found?.columns ? filled(found, choices[name]) : found;
    return figure ? { ...figure, name: `${name}-${dataset.name}`, shows: dataset.name } : lacking[name];
  }

  /** Put the values of the chosen metrics into a figure; null where the file lacks them. */
  function filled(figure, selects) {
    const axes = Object.keys(figure.columns);
    const columns = axes.map((axis) => iqbench.column(selects[axis].value));
    const values = columns.map((column) => column && iqbench.values(dataset, column.name));
    if (values.some((each) => !each)) return null;
    const count = dataset.images.length;
    const names = columns.map(({ name }) => iqbench.plain(name));
    const large = count * dataset.methods.length > data.many && webgl();
    const traces = figure.traces.map((trace, place) => {
      const method = figure.methods[place];
      const images = [...Array(count).keys()].filter((image) =>
        values.every((own) => Number.isFinite(own[method * count + image])),
      );
      const own = axes.map((axis, at) => [axis, images.map((image) => values[at][method * count + image])]);
      return {
        ...seen(trace, method, images),
        ...(large && trace.type === "scatter" && { type: "scattergl" }),
        ...Object.fromEntries(own),
        meta: [trace.meta[0], ...names],
        customdata: images.map((image) => [method, image]),
        text: images.map((image) => iqbench.plain(dataset.images[image])),
      };
    });
    const layout = { ...figure.layout };
    axes.forEach((axis, at) => {
      const { label, decimals } = columns[at];
      const described = { title: { text: iqbench.plain(label) }, hoverformat: `.${decimals}f` };
      layout[`${axis}axis1`] = { ...layout[`${axis}axis1`], ...described };
    });
    return { ...figure, traces, layout };
  }

  /** If some pictures are in this file, draw the points without a picture faint or hollow. */
  function seen(trace, method, images) {
    if (!Object.keys(dataset.scenes).length) return trace;
    if (trace.type === "box") {
      const selectedpoints = [...images.keys()].filter((at) => pictured(method, images[at]));
      const [selected, unselected] = [1, 0.25].map((opacity) => ({ marker: { opacity } }));
      return { ...trace, selectedpoints, selected, unselected };
    }
    const { marker } = trace;
    const symbol = images.map((image) => marker.symbol + (pictured(method, image) ? "" : "-open"));
    return { ...trace, marker: { ...marker, symbol } };
  }

  function pick({ detail }) {
    if (!detail?.customdata) return;
    const [method, image] = detail.customdata;
    const label = `${dataset.images[image]} by ${dataset.methods[method]}`;
    const there = pictured(method, image);
    get("picked").textContent = there ? `${label}.` : `${label}: its picture is not in this file.`;
    if (there) iqbench.open(dataset.scenes[image].scene, dataset.methods[method]);
  }

  const redraws = {};
  for (const name of Object.keys(lacking)) {
    const place = get(`plot-${name}`);
    redraws[name] = iqbench.figure(place, () => make(name));
    place.addEventListener("iqbench:point", pick);
    for (const select of Object.values(choices[name] ?? {})) {
      select.addEventListener("change", redraws[name]);
    }
  }

  function choose(name) {
    dataset = data.datasets.find((one) => one.name === name) ?? dataset;
    const place = String(data.datasets.indexOf(dataset));
    for (const select of document.querySelectorAll(".dataset-choice")) select.value = place;
    const options = Object.keys(dataset.values).map((each) => [each, iqbench.column(each).label]);
    for (const [figure, selects] of Object.entries(choices)) {
      for (const [axis, select] of Object.entries(selects)) {
        const before = select.value;
        iqbench.fill(select, options);
        if (!before) select.value = dataset.figures[figure]?.columns[axis] ?? "";
        if (!select.value && options.length) [[select.value]] = options;
      }
    }
    for (const redraw of Object.values(redraws)) redraw();
  }

  for (const select of document.querySelectorAll(".dataset-choice")) {
    select.addEventListener("change", () => choose(data.datasets[Number(select.value)].name));
  }
  document.addEventListener("iqbench:dataset", (event) => choose(event.detail));

  /* A cell of a heat map opens its two metrics. */
  for (const block of document.querySelectorAll("#correlation [data-dataset]")) {
    block.addEventListener("iqbench:point", ({ detail, target }) => {
      const { x, y, meta } = target.data[0];
      choose(block.dataset.dataset);
      choices.scatter.x.value = meta.x[x.indexOf(detail.x)];
      choices.scatter.y.value = meta.y[y.indexOf(detail.y)];
      redraws.scatter();
      get("scatter").scrollIntoView();
      choices.scatter.x.focus({ preventScroll: true });
    });
  }
  choose(dataset.name);
})();

"use strict";

/* Reference and outputs of one image: with a divider, or side by side; as pictures or maps. */
(() => {
  const dialog = document.getElementById("viewer");
  const stage = document.getElementById("stage");
  const get = (id) => document.getElementById(`viewer-${id}`);
  const fields = Object.fromEntries(
    ["title", "reasons", "tools", "left", "right", "map", "cut", "legend", "part", "values"].map(
      (id) => [id, get(id)],
    ),
  );
  let scene = null;
  let number = 0;
  let mode = "slider";
  /** Outputs without a reference or a second output to compare with are shown side by side. */
  const layout = () => (scene.compared ? mode : "grid");

  const all = () => [...document.querySelectorAll("button.thumb")].filter((button) => !button.closest("[hidden]"));

  /** Show a scene, and one of its outputs if it is named. */
  iqbench.open = (which, method) => {
    number = Number(which);
    scene = iqbench.json(`scene-${number}`);
    fields.title.textContent = `${scene.image}`;
    fields.reasons.textContent = [scene.dataset, ...scene.reasons].join(" · ");
    const names = scene.pictures.map((picture, place) => [place, picture.name]);
    iqbench.fill(fields.left, names);
    iqbench.fill(fields.right, names);
    const wanted = scene.pictures.findIndex((picture, place) => place >= scene.first && picture.name === method);
    const left = Math.max(0, scene.pictures.findIndex((picture) => picture.name === scene.left));
    fields.left.value = String(left);
    fields.right.value = String(wanted >= 0 ? wanted : Math.min(left + 1, scene.pictures.length - 1));
    const maps = new Set(scene.pictures.flatMap((picture) => picture.maps.map((map) => map.name)));
    iqbench.fill(fields.map, [["", "pictures"], ...[...maps].map((name) => [name, `map: ${name}`])]);
    fields.map.parentElement.hidden = !scene.first && !maps.size;
    fields.tools.querySelector("[data-mode]").parentElement.hidden = !scene.compared;
    fields.part.replaceChildren(...overview(), scene.part, ...(scene.part && scene.note ? [" "] : []), scene.note);
    table();
    const closed = !dialog.open;
    if (closed) dialog.showModal();
    arrange();
    iqbench.fit();
    if (closed) stage.focus(); // who steps from image to image stays on the button
  };

  /** Draw the position of the shown part in the whole image. */
  function overview() {
    if (!scene.part) return [];
    const small = document.querySelector(`button.thumb[data-scene="${number}"] img`);
    const [left, top, width, height] = scene.crop;
    const share = (value, whole) => `${((100 * value) / whole).toFixed(2)}%`;
    const frame = iqbench.element("span", { class: "frame" });
    frame.style.left = share(left, scene.size[0]);
    frame.style.top = share(top, scene.size[1]);
    frame.style.width = share(width, scene.size[0]);
    frame.style.height = share(height, scene.size[1]);
    return [iqbench.element("span", { class: "overview" }, small.cloneNode(), frame)];
  }

  function table() {
    const head = iqbench.element("tr", {}, iqbench.element("th", { scope: "col" }, "output"));
    head.append(...scene.heads.map((text) => iqbench.element("th", { scope: "col", class: "number" }, text)));
    const rows = scene.rows.map(([name, ...texts]) => {
      const place = scene.pictures.findIndex((picture, at) => at >= scene.first && picture.name === name);
      const label =
        scene.compared && place >= 0
          ? iqbench.element("button", { type: "button", class: "link", "data-picture": place }, name)
          : name;
      return iqbench.element(
        "tr",
        {},
        iqbench.element("th", { scope: "row" }, label),
        ...texts.map((text) => iqbench.element("td", { class: "number" }, text)),
      );
    });
    fields.values.replaceChildren(iqbench.element("thead", {}, head), iqbench.element("tbody", {}, ...rows));
  }

  /** Return the picture to show for an output: the output, or the chosen map, if there is one. */
  function face(picture) {
    const map = picture.maps.find((each) => each.name === fields.map.value);
    return { source: map ? map.source : picture.source, map };
  }

  function image(picture, shown) {
    const what = shown.map ? `${shown.map.name} map of ${picture.name}` : picture.name;
    return iqbench.element("img", {
      src: shown.source,
      width: picture.width,
      height: picture.height,
      alt: what,
      draggable: "false",
    });
  }

  function label(picture, shown) {
    const text = [picture.name, picture.note, shown.map?.name].filter(Boolean).join(" · ");
    return iqbench.element("span", { class: "label" }, text);
  }

  function arrange() {
    dialog.dataset.mode = layout();
    for (const button of fields.tools.querySelectorAll("[data-mode]")) {
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    }
    const pane = (picture, className = "pane", asIs = false) => {
      const shown = asIs ? { source: picture.source } : face(picture);
      const element = iqbench.element("div", { class: className }, image(picture, shown), label(picture, shown));
      return { element, map: shown.map };
    };
    let panes;
    if (layout() === "slider") {
      const [left, right] = [fields.left, fields.right].map((field) => scene.pictures[Number(field.value)]);
      // With a map, the left of the divider stays a picture, so that the reader sees the place in the image.
      panes = [pane(left, "pane under", true), pane(right, "pane over")];
      const line = iqbench.element("div", { class: "line", "aria-hidden": "true" });
      stage.replaceChildren(...panes.map((each) => each.element), line);
    } else {
      panes = scene.pictures.map((picture) => pane(picture));
      stage.replaceChildren(...panes.map((each) => each.element));
    }
    const map = panes.map((each) => each.map).find(Boolean);
    fields.legend.replaceChildren(...(map ? [ramp(map), `${map.name}: ${map.legend}. ${map.summary}.`] : []));
    const columns = layout() === "slider" ? 1 : columnsOf(panes.length);
    stage.style.setProperty("--columns", columns);
    stage.style.setProperty("--rows", layout() === "slider" ? 1 : Math.ceil(panes.length / columns));
    cut();
  }

  /** Return the number of columns in which pictures are largest. */
  function columnsOf(count) {
    const [{ width, height }] = scene.pictures;
    const scale = (columns) => {
      const rows = Math.ceil(count / columns);
      return Math.min(stage.clientWidth / columns / width, stage.clientHeight / rows / height);
    };
    const choices = [...Array(count).keys()].map((place) => place + 1);
    return choices.reduce((best, columns) => (scale(columns) > scale(best) ? columns : best));
  }

  /** Draw the colours of a map, and the values of their ends; a text beside it describes them. */
  function ramp(map) {
    const colours = iqbench.element("i");
    colours.style.background = `linear-gradient(to right, ${map.colours.join(", ")})`;
    return iqbench.element("span", { class: "ramp", "aria-hidden": "true" }, map.low, colours, map.high);
  }

  /** Draw again after the pictures or their available space have changed. */
  function again() {
    arrange();
    iqbench.refit();
  }

  function cut() {
    stage.style.setProperty("--cut", `${fields.cut.value}%`);
  }

  iqbench.cut = (share) => {
    fields.cut.value = String(Math.min(100, Math.max(0, 100 * share)));
    cut();
  };
  iqbench.picture = () => scene?.pictures[0];

  function step(by) {
    const buttons = all();
    const place = buttons.findIndex((button) => Number(button.dataset.scene) === number);
    const next = buttons[(place + by + buttons.length) % buttons.length];
    if (next) iqbench.open(next.dataset.scene);
  }

  document.addEventListener("click", (event) => {
    const thumb = event.target.closest("button.thumb, button[data-scene]");
    if (thumb) iqbench.open(thumb.dataset.scene, thumb.dataset.method);
  });
  dialog.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (event.target === dialog) dialog.close();
    if (!button) return;
    if (button.dataset.do === "close") dialog.close();
    if (button.dataset.do === "previous") step(-1);
    if (button.dataset.do === "next") step(1);
    if (button.dataset.mode) {
      mode = button.dataset.mode;
      arrange();
      iqbench.fit();
    }
    if (button.dataset.picture) {
      fields.right.value = button.dataset.picture;
      mode = "slider";
      arrange();
      iqbench.fit();
    }
  });
  for (const field of [fields.left, fields.right, fields.map]) field.addEventListener("change", again);
  addEventListener("resize", () => dialog.open && again());
  fields.cut.addEventListener("input", cut);
})();

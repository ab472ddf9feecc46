"use strict";

/** Functions that the other scripts of the page share. */
const iqbench = {};

(() => {
  /** Create an element; strings become text, never HTML. */
  iqbench.element = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };

  const parsed = new Map();
  /** Read the JSON of a script element, at its first use. */
  iqbench.json = (id) => {
    if (!parsed.has(id)) {
      const element = document.getElementById(id);
      parsed.set(id, element ? JSON.parse(element.textContent) : null);
    }
    return parsed.get(id);
  };

  iqbench.data = () => iqbench.json("data");

  /** Return whether a metric is shown; a filter replaces this function. */
  iqbench.shows = () => true;

  const columns = new Map();
  /** Return a metric's values, one per image, method after method; null if they were left out. */
  iqbench.values = (dataset, name) => {
    const key = JSON.stringify([dataset.name, name]);
    if (!columns.has(key)) {
      const text = dataset.values[name];
      columns.set(key, text === undefined ? null : new Float32Array(bytes(text).buffer));
    }
    return columns.get(key);
  };

  function bytes(text) {
    const signs = atob(text);
    const found = new Uint8Array(signs.length);
    for (let place = 0; place < signs.length; place += 1) found[place] = signs.charCodeAt(place);
    return found;
  }
  iqbench.bytes = bytes;

  iqbench.column = (name) => iqbench.data().columns.find((column) => column.name === name);

  iqbench.number = (value, decimals) =>
    Number.isFinite(value) ? value.toFixed(decimals) : String(value).replace("Infinity", "inf");

  /** Announce a text to screen readers. */
  iqbench.say = (text) => {
    document.getElementById("spoken").textContent = text;
  };

  iqbench.fill = (select, options) => {
    const chosen = select.value;
    select.replaceChildren(
      ...options.map(([value, text]) => iqbench.element("option", { value }, text)),
    );
    if (options.some(([value]) => String(value) === chosen)) select.value = chosen;
  };

  /* Colour scheme: the system's, or the one that the reader chose. */
  const root = document.documentElement;
  const schemes = ["auto", "light", "dark"];
  const button = document.getElementById("theme");
  const name = (scheme) => ({ auto: "automatic", light: "light", dark: "dark" })[scheme];

  function paint() {
    const scheme = root.dataset.theme || "auto";
    button.setAttribute("aria-label", `Colour scheme: ${name(scheme)}`);
    button.querySelector("span").textContent = scheme[0].toUpperCase() + scheme.slice(1);
    document.dispatchEvent(new Event("iqbench:theme"));
  }

  button.addEventListener("click", () => {
    const scheme = schemes[(schemes.indexOf(root.dataset.theme || "auto") + 1) % schemes.length];
    root.dataset.theme = scheme;
    try {
      localStorage.setItem("iqbench-theme", scheme);
    } catch {
      // A page from disk may have no storage: then the choice lasts until the page is closed.
    }
    paint();
  });
  let before = null;
  /** Use light colours while the page is printed. */
  iqbench.light = (printing) => {
    if (printing) before ??= root.dataset.theme || "auto";
    root.dataset.theme = printing ? "light" : before ?? "auto";
    if (!printing) before = null;
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  paint();
})();

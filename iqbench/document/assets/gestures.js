"use strict";

/* Zoom and pan of the pictures: all have the same position and scale; pixels stay squares. */
(() => {
  const stage = document.getElementById("stage");
  const scale = document.getElementById("viewer-scale");
  const largest = 48;
  // The scale is in CSS pixels; readers see and count device pixels.
  const view = { x: 0, y: 0, scale: 1 };
  const pointers = new Map();
  let cutting = false;
  let fitted = true;

  const pane = () => stage.querySelector(".pane");

  function box() {
    const bounds = pane().getBoundingClientRect();
    return { width: bounds.width, height: bounds.height, left: bounds.left, top: bounds.top };
  }

  function apply() {
    fitted = false;
    const picture = iqbench.picture();
    const { width, height } = box();
    // A picture always covers at least a quarter of its frame.
    const keep = (at, size, room) => Math.min(room * 0.75, Math.max(room * 0.25 - size * view.scale, at));
    view.x = keep(view.x, picture.width, width);
    view.y = keep(view.y, picture.height, height);
    stage.style.setProperty("--x", `${view.x}px`);
    stage.style.setProperty("--y", `${view.y}px`);
    stage.style.setProperty("--scale", view.scale);
    scale.textContent = `${Math.round(view.scale * devicePixelRatio * 100)} %`;
  }

  iqbench.fit = () => {
    const picture = iqbench.picture();
    const { width, height } = box();
    const largestThatFits = devicePixelRatio * Math.min(width / picture.width, height / picture.height);
    // With whole multiples of device pixels, all pixels of the picture have the same size.
    view.scale = (largestThatFits >= 1 ? Math.floor(largestThatFits) : largestThatFits) / devicePixelRatio;
    view.x = (width - picture.width * view.scale) / 2;
    view.y = (height - picture.height * view.scale) / 2;
    apply();
    fitted = true;
  };

  /** Fit the pictures again, unless the reader has zoomed or moved them. */
  iqbench.refit = () => (fitted ? iqbench.fit() : apply());

  /** Zoom so that the point under the pointer does not move. */
  function zoom(factor, at) {
    const { width, height } = box();
    const [x, y] = at ?? [width / 2, height / 2];
    const next = Math.min(largest, Math.max(0.1, view.scale * factor));
    view.x = x - ((x - view.x) * next) / view.scale;
    view.y = y - ((y - view.y) * next) / view.scale;
    view.scale = next;
    apply();
  }

  function inPane(event) {
    const target = event.target.closest(".pane") ?? pane();
    const bounds = target.getBoundingClientRect();
    return [event.clientX - bounds.left, event.clientY - bounds.top];
  }

  document.getElementById("viewer-tools").addEventListener("click", (event) => {
    const what = event.target.closest("[data-zoom]")?.dataset.zoom;
    if (what === "in") zoom(2);
    if (what === "out") zoom(0.5);
    if (what === "one") zoom(1 / devicePixelRatio / view.scale);
    if (what === "fit") iqbench.fit();
  });

  stage.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      zoom(2 ** (-event.deltaY / 300), inPane(event));
    },
    { passive: false },
  );

  const nearLine = (event) => {
    const line = stage.querySelector(".line")?.getBoundingClientRect();
    return line && Math.abs(event.clientX - (line.left + line.width / 2)) < 22;
  };

  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    cutting = pointers.size === 1 && nearLine(event);
  });

  stage.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) {
      stage.style.cursor = nearLine(event) ? "ew-resize" : "grab";
      return;
    }
    const now = [event.clientX, event.clientY];
    if (cutting) {
      const { left, width } = box();
      iqbench.cut((event.clientX - left) / width);
    } else if (pointers.size === 2) {
      const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      const distance = (at) => Math.hypot(at[0] - other[0], at[1] - other[1]);
      const { left, top } = box();
      const middle = [(now[0] + other[0]) / 2 - left, (now[1] + other[1]) / 2 - top];
      zoom(distance(now) / Math.max(1, distance(before)), middle);
    } else {
      view.x += now[0] - before[0];
      view.y += now[1] - before[1];
      apply();
    }
    pointers.set(event.pointerId, now);
  });

  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, (event) => {
      pointers.delete(event.pointerId);
      cutting = false;
    });
  }

  const steps = {
    ArrowLeft: () => (view.x += 40),
    ArrowRight: () => (view.x -= 40),
    ArrowUp: () => (view.y += 40),
    ArrowDown: () => (view.y -= 40),
  };
  stage.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (steps[event.key]) {
      steps[event.key]();
      apply();
    } else if (event.key === "+" || event.key === "=") zoom(2);
    else if (event.key === "-") zoom(0.5);
    else if (event.key === "0") iqbench.fit();
    else return;
    event.preventDefault();
  });
})();

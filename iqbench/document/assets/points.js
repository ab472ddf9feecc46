"use strict";

/* Points of a plot by keyboard: left and right within a trace, up and down from trace to trace. */
(() => {
  const kinds = ["scatter", "scattergl", "box"];
  const { axes, text } = iqbench;
  const reached = new WeakMap();

  /** Return the traces that have points, each with its points in the order of their first coordinate. */
  function traces(figure) {
    return figure.data
      .flatMap((trace) => (trace.type === "heatmap" ? rows(trace) : [trace]))
      .map((trace, number) => ({ trace, number, x: Array.from(trace.x ?? []) }))
      .filter(({ trace, x }) => kinds.includes(trace.type ?? "scatter") && trace.mode !== "lines" && x.length)
      .map((one) => ({ ...one, order: [...one.x.keys()].sort((a, b) => one.x[a] - one.x[b]) }));
  }

  /** Return the rows of a heat map as traces, from the lowest, without cells that have no number. */
  function rows({ x, y, z, xaxis, yaxis }) {
    return y
      .map((row, number) => {
        const columns = [...x.keys()].filter((at) => z[number][at] !== null);
        return {
          ...{ type: "scatter", xaxis, yaxis },
          x: columns.map((at) => x[at]),
          y: columns.map(() => row),
          hovertext: columns.map((at) => `${row}, ${x[at]}: ${z[number][at].toFixed(3)}`),
        };
      })
      .reverse();
  }

  const one = (value, place) => (Array.isArray(value) ? value[place] : value);

  function told(figure, { trace, x }, point) {
    const told = one(trace.hovertext, point);
    if (told) return text(told);
    const [xaxis, yaxis] = axes(figure, trace);
    const number = (value, axis) =>
      `${text(axis.title?.text)} ${Number.isFinite(value) ? Number(value.toPrecision(5)) : value}`;
    const names = [one(trace.text, point), trace.meta?.[0] ?? trace.name].map(text);
    const values = [number(x[point], xaxis)];
    if (yaxis.ticktext && trace.type !== "box") names.push(text(yaxis.ticktext[trace.y[point]]));
    else if (trace.type !== "box") values.push(number(trace.y[point], yaxis));
    return [...names, ...values].filter(Boolean).join(", ");
  }

  function mark(figure, found, point) {
    const [xaxis, yaxis] = axes(figure, found.trace);
    const y = found.trace.type === "box" ? found.trace.y0 : found.trace.y[point];
    const at = [xaxis._offset + xaxis.d2p(found.x[point]), yaxis._offset + yaxis.d2p(y)];
    const label = told(figure, found, point);
    clear(figure);
    const ring = iqbench.element("span", { class: "reached", "aria-hidden": "true" });
    [ring.style.left, ring.style.top] = at.map((pixels) => `${pixels}px`);
    figure.append(ring, iqbench.element("span", { class: "reached-label", "aria-hidden": "true" }, label));
    iqbench.say(label);
  }

  function clear(figure) {
    for (const each of figure.querySelectorAll(".reached, .reached-label")) each.remove();
  }

  /** Return the point to which a key leads from a point of a trace. */
  function step(all, [row, column], key) {
    const last = all[row].order.length - 1;
    const moves = {
      ArrowRight: () => [row, Math.min(column + 1, last)],
      ArrowLeft: () => [row, Math.max(column - 1, 0)],
      ArrowUp: () => [(row + 1) % all.length, column],
      ArrowDown: () => [(row - 1 + all.length) % all.length, column],
      Home: () => [row, 0],
      End: () => [row, last],
    };
    const next = moves[key]?.();
    return next && [next[0], Math.min(next[1], all[next[0]].order.length - 1)];
  }

  document.addEventListener("keydown", (event) => {
    const figure = event.target;
    if (!figure.matches?.(".plot") || !figure.data || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = traces(figure);
    if (!all.length) return;
    const before = reached.get(figure);
    const known = before && before[0] < all.length && before[1] < all[before[0]].order.length;
    if (event.key === "Enter" && known) {
      const { trace, order } = all[before[0]];
      const point = order[before[1]];
      const [x, y, customdata] = [trace.x, trace.y, trace.customdata].map((all) => one(all, point));
      figure.emit("plotly_click", { points: [{ x, y, customdata, pointNumber: point }] });
    } else {
      const next = known ? step(all, before, event.key) : event.key.startsWith("Arrow") && [0, 0];
      if (!next) return;
      reached.set(figure, next);
      mark(figure, all[next[0]], all[next[0]].order[next[1]]);
    }
    event.preventDefault();
  });
  document.addEventListener("focusout", (event) => {
    if (event.target.matches?.(".plot")) clear(event.target);
  });
})();

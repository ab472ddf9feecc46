"use strict";

/* Names of points, placed beside their points, where they cover no other point or name. */
(() => {
  const line = 15; // of text, in pixels, and how far it stays from its point
  const gap = 8;
  // plotly's textposition, and the name's position from its point: -1 before, 0 centred, 1 behind.
  const places = [
    ["top center", 0, -1],
    ["bottom center", 0, 1],
    ["top right", 1, -1],
    ["bottom right", 1, 1],
    ["top left", -1, -1],
    ["bottom left", -1, 1],
    ["middle right", 1, 0],
    ["middle left", -1, 0],
  ];

  const start = (at, size, side) => at + [-gap - size, -size / 2, gap][side + 1];

  function box(point, across, down) {
    const [left, top] = [start(point.x, point.width, across), start(point.y, line, down)];
    return { left: left - 3, top, right: left + point.width + 3, bottom: top + line };
  }

  const meet = (one, two) =>
    one.left < two.right && two.left < one.right && one.top < two.bottom && two.top < one.bottom;

  /**
   * Return the position of each point's name; null where there is no space. The first points choose
   * first. Positions and widths are in pixels, from the frame's upper left corner.
   */
  iqbench.placed = (points, frame) => {
    const taken = points.map(({ x, y }) => ({ left: x - 6, right: x + 6, top: y - 6, bottom: y + 6 }));
    return points.map((point) => {
      for (const [words, across, down] of places) {
        const name = box(point, across, down);
        const inside =
          name.left >= 0 && name.right <= frame.width && name.top >= 0 && name.bottom <= frame.height;
        if (inside && !taken.some((other) => meet(name, other))) {
          taken.push(name);
          return words;
        }
      }
      return null;
    });
  };

  /** Place the names of a figure's points where there is space, those of the last trace first. */
  iqbench.label = async (figure) => {
    const panels = new Map(); // by axes, the points
    figure.data.forEach((trace, number) => {
      if (!trace.mode?.includes("text")) return;
      const [xaxis, yaxis] = iqbench.axes(figure, trace);
      const points = trace.text.map((name, at) => {
        const text = iqbench.short(iqbench.text(name), 28);
        const [x, y] = [xaxis.d2p(trace.x[at]), yaxis.d2p(trace.y[at])];
        return { number, at, text, x, y, width: iqbench.width(text) };
      });
      const { frame, others } = panels.get(xaxis) ?? { others: [] };
      panels.set(xaxis, {
        frame: frame ?? { width: xaxis._length, height: yaxis._length },
        others: [...points, ...others],
      });
    });
    const named = new Map();
    for (const { frame, others } of panels.values()) {
      iqbench.placed(others, frame).forEach((place, order) => {
        const { number, at, text } = others[order];
        const { texts, places } = named.get(number) ?? { texts: [], places: [] };
        [texts[at], places[at]] = [place ? iqbench.plain(text) : "", place ?? "top center"];
        named.set(number, { texts, places });
      });
    }
    if (!named.size) return;
    const update = { text: [], textposition: [] };
    for (const { texts, places } of named.values()) {
      update.text.push(texts);
      update.textposition.push(places);
    }
    await window.Plotly.restyle(figure, update, [...named.keys()]);
  };

  const ruler = document.createElement("canvas").getContext("2d");
  /** Return the drawn width of a name. */
  iqbench.width = (text) => {
    ruler.font = `13px ${getComputedStyle(document.body).fontFamily}`;
    return ruler.measureText(text).width;
  };

  /** Shorten a name to some number of characters; its end is kept, because related names differ there. */
  iqbench.short = (text, most) => {
    const signs = [...text];
    if (signs.length <= most) return text;
    const end = Math.floor((most - 1) / 3);
    return `${signs.slice(0, most - 1 - end).join("")}…${signs.slice(signs.length - end).join("")}`;
  };
})();

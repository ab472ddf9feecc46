"use strict";

/* Perception over fidelity: one point a method, the Pareto front, and as many names as have room. */
(() => {
  const lower = (name) => iqbench.column(name)?.direction === "lower";

  /** Traces and layout of methods by two metrics, on a figure of so many pixels. */
  iqbench.front = (found, size) => {
    const [across, up] = found.axes;
    const ranges = [range(found.points, 0, lower(across)), range(found.points, 1, lower(up))];
    const margin = { l: 56, r: 16, t: 40, b: 48 };
    const names = named(found.points, ranges, {
      width: size.width - margin.l - margin.r,
      height: size.height - margin.t - margin.b,
    });
    const trace = (points, more) => ({
      type: "scatter",
      x: points.map((point) => point.at[0][0]),
      y: points.map((point) => point.at[1][0]),
      error_x: bars(points, 0),
      error_y: bars(points, 1),
      mode: "markers+text",
      text: points.map((point) => names.get(point)?.text ?? ""),
      textposition: points.map((point) => names.get(point)?.place ?? "top center"),
      hovertext: points.map((point) => told(point, found.axes)),
      hovertemplate: "%{hovertext}<extra></extra>",
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
        mode: "lines+markers+text",
        line: { color: iqbench.color("--accent"), width: 1.5, dash: "dot" },
        marker: { color: iqbench.color("--accent"), size: 11, symbol: "diamond" },
      }),
    ].filter((one) => one.x.length);
    const layout = iqbench.layout({
      xaxis: iqbench.axis(across, { range: ranges[0] }),
      yaxis: iqbench.axis(up, { range: ranges[1] }),
      showlegend: true,
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
      margin,
    });
    return { traces, layout };
  };

  /** From the worst to the best end of the intervals, and room for a name beyond. */
  function range(points, place, reversed) {
    const ends = points.flatMap((point) => point.at[place].filter((value) => value !== null));
    const [low, high] = [Math.min(...ends), Math.max(...ends)];
    const more = 0.12 * (high - low) || 0.1 * Math.abs(high) || 1;
    return reversed ? [high + more, low - more] : [low - more, high + more];
  }

  /** The names that have room, and where: those on the front first, then the complete ones. */
  function named(points, ranges, frame) {
    const share = (point, place) =>
      (point.at[place][0] - ranges[place][0]) / (ranges[place][1] - ranges[place][0]);
    const inOrder = [...points].sort((one, two) => two.front - one.front || two.complete - one.complete);
    const texts = inOrder.map((point) => iqbench.short(point.method, 28));
    const spots = inOrder.map((point, at) => ({
      x: frame.width * share(point, 0),
      y: frame.height * (1 - share(point, 1)),
      width: iqbench.width(texts[at]),
    }));
    const found = iqbench.placed(spots, frame);
    return new Map(
      inOrder.map((point, at) => [point, found[at] && { text: iqbench.plain(texts[at]), place: found[at] }]),
    );
  }

  /** What a point says: its method, and means with their intervals. */
  function told(point, axes) {
    const lines = axes.map((name, place) => {
      const [mean, low, high] = point.at[place].map((value) => value ?? NaN);
      const { decimals } = iqbench.column(name) ?? { decimals: 4 };
      const ends = Number.isFinite(low) ? ` (${low.toFixed(decimals)} to ${high.toFixed(decimals)})` : "";
      return `${iqbench.plain(name)} ${mean.toFixed(decimals)}${ends}`;
    });
    return [iqbench.plain(iqbench.short(point.method, 80)), ...lines].join("<br>");
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
})();

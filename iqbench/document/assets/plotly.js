"use strict";

/* plotly.js is compressed in the page, and is unpacked when the first plot is nearly visible. */
(() => {
  let loading = null;
  // Dragging with a finger scrolls the page; dragging with a mouse zooms into the plot.
  const finger = matchMedia("(pointer: coarse)").matches;

  async function load() {
    const packed = iqbench.bytes(document.getElementById("plotly").textContent.trim());
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
    script.remove();
    return window.Plotly;
  }

  iqbench.plotly = () => (loading ??= load());

  /** Return the value of one of the style's colours in the present colour scheme. */
  const probe = document.body.appendChild(iqbench.element("span", { hidden: "" }));
  const color = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };

  /** Escape characters in a name that plotly would read as markup, and reverse it. */
  iqbench.plain = (text) =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  iqbench.text = (shown) =>
    String(shown ?? "")
      .replaceAll("<br>", ", ")
      .replaceAll("&lt;", "<")
      .replaceAll("&gt;", ">")
      .replaceAll("&amp;", "&");

  /** Copy a figure, and replace names of colours by their present values in the style. */
  iqbench.painted = (value, key = "") => {
    if (Array.isArray(value)) {
      return typeof value[0] === "object" ? value.map((each) => iqbench.painted(each)) : value;
    }
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(
        Object.entries(value).map(([name, each]) => [name, iqbench.painted(each, name)]),
      );
    }
    const named = key.endsWith("color") && /^var\((--[\w-]+)\)$/.exec(value);
    return named ? color(named[1]) : value;
  };

  /** Return the axes of a trace: a figure may have several panels. */
  iqbench.axes = (figure, trace) =>
    [trace.xaxis ?? "x", trace.yaxis ?? "y"].map((name) => figure._fullLayout[`${name[0]}axis${name.slice(1)}`]);

  const axis = () => ({
    gridcolor: color("--line"),
    zeroline: false,
    linecolor: color("--line"),
    automargin: true,
  });

  iqbench.layout = (own) => {
    const layout = {
      autosize: true,
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: color("--text") },
      paper_bgcolor: color("--page"), // what is saved has the page's colours, the background too
      plot_bgcolor: color("--page"),
      margin: { l: 56, r: 16, t: 40, b: 48 }, // the buttons stand above the plot
      hoverlabel: {
        bgcolor: color("--raised"),
        bordercolor: color("--line"),
        font: { color: color("--text") },
      },
      modebar: {
        bgcolor: "rgba(0,0,0,0)",
        color: color("--muted"),
        activecolor: color("--accent"),
      },
      hovermode: "closest",
      dragmode: finger ? false : "zoom",
      showlegend: false,
      legend: innerWidth < 700 ? { orientation: "h", y: -0.2 } : { itemsizing: "constant" },
      ...own,
    };
    for (const name of Object.keys(layout).filter((each) => /^[xy]axis/.test(each))) {
      layout[name] = { ...axis(), ...layout[name] };
    }
    return layout;
  };

  const zooming = [["zoom2d", "pan2d"], ["zoomIn2d", "zoomOut2d", "resetScale2d"]];
  /** Return plotly's options for a figure; its name is that of the file that is saved. */
  iqbench.config = (name) => ({
    responsive: true,
    displaylogo: false,
    displayModeBar: finger ? true : "hover",
    scrollZoom: false,
    toImageButtonOptions: { format: "svg", filename: `iqbench-${name}` },
    // Only named buttons: plotly has others that send the plot to the server of its company.
    modeBarButtons: [["toImage"], ...(finger ? [] : zooming)],
  });
})();

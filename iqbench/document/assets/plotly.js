"use strict";

/* plotly.js lies in the page compressed and is unpacked when the first plot comes near. */
(() => {
  let loading = null;
  // A finger that drags scrolls the page; a mouse zooms into the plot.
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

  /** Resolve one of the style's colours, as the colour scheme has it now. */
  const probe = document.body.appendChild(iqbench.element("span", { hidden: "" }));
  const color = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };

  /** Colours told apart with every common colour blindness; then other marks. */
  const colors = 7;
  const symbols = ["circle", "square", "diamond", "triangle-up", "x", "star", "cross", "hexagon", "pentagon"];
  iqbench.mark = (number) => ({
    color: color(`--mark-${number % colors}`),
    symbol: symbols[Math.floor(number / colors + number) % symbols.length],
  });

  /** What plotly would read as markup in a name is text. */
  iqbench.plain = (text) =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

  iqbench.axis = (name, more = {}) => {
    const column = iqbench.column(name);
    return {
      title: { text: iqbench.plain(column ? column.label : name), standoff: 8, font: { size: 13 } },
      gridcolor: color("--line"),
      zeroline: false,
      linecolor: color("--line"),
      automargin: true,
      ...more,
    };
  };

  iqbench.layout = (more = {}) => ({
    autosize: true,
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: color("--text") },
    paper_bgcolor: color("--page"), // what is saved has the page's colours, the background too
    plot_bgcolor: color("--page"),
    margin: { l: 56, r: 16, t: 16, b: 48 },
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
    ...more,
  });

  iqbench.color = (name) => color(name);

  const zooming = [["zoom2d", "pan2d"], ["zoomIn2d", "zoomOut2d", "resetScale2d"]];
  /** What plotly is told of a figure; its name is that of the file that is saved. */
  iqbench.config = (name) => ({
    responsive: true,
    displaylogo: false,
    displayModeBar: finger ? true : "hover",
    scrollZoom: false,
    toImageButtonOptions: { format: "svg", filename: `iqbench-${name}` },
    // Those that are wanted, by name: plotly has others that send the plot to its maker's server.
    modeBarButtons: [["toImage"], ...(finger ? [] : zooming)],
  });
})();

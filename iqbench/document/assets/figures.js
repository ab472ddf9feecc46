"use strict";

/* Figures of a document, each drawn when it comes near. */
(() => {
  const figures = JSON.parse(document.getElementById("figures")?.textContent ?? "[]");

  async function draw(figure, place) {
    await iqbench.plotly();
    const layout = iqbench.layout(figure.layout);
    await window.Plotly.newPlot(place, figure.traces, layout, iqbench.config(figure.name));
  }

  const near = new IntersectionObserver(
    (seen) => {
      for (const one of seen.filter((entry) => entry.isIntersecting)) {
        near.unobserve(one.target);
        const name = one.target.id.replace("figure-", "");
        draw(figures.find((figure) => figure.name === name), one.target);
      }
    },
    { rootMargin: "400px" },
  );
  for (const figure of figures) near.observe(document.getElementById(`figure-${figure.name}`));
})();

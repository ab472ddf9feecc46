"use strict";

/* Pages of a site: where one is among them. */
(() => {
  const here = document.querySelector("nav.sections [aria-current]");
  const strip = here?.closest(".wide");
  // Of many datasets, the one that is shown stands in the strip of their names.
  if (strip) strip.scrollLeft = here.offsetLeft - (strip.clientWidth - here.offsetWidth) / 2;
})();

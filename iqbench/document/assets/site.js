"use strict";

/* Navigation between the pages of a site. */
(() => {
  const here = document.querySelector("nav.sections [aria-current]");
  const strip = here?.closest(".wide");
  // Scroll the row of dataset names, so that the name of the shown dataset is visible.
  if (strip) strip.scrollLeft = here.offsetLeft - (strip.clientWidth - here.offsetWidth) / 2;
})();

"use strict";
// Draws the charts, sorts the tables, and unfolds for print what belongs on paper. No dependency but Vega-Embed.
(() => {
  const GAP = 28, AXIS = 64; // px between panels, and beside each for its axis

  const config = JSON.parse(document.getElementById("chart-config").textContent);
  const tooltip = { theme: "page", disableDefaultStyle: true, id: "chart-tooltip" };
  const options = { mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false, tooltip, config };
  const plots = [...document.querySelectorAll("[data-chart]")].map((place) => ({
    place,
    spec: JSON.parse(document.getElementById(place.dataset.chart).textContent),
  }));

  // A grid of panels gets as many columns as the page is wide; other charts are as wide as their place.
  function fitted(spec, width) {
    const least = spec.usermeta && spec.usermeta.panel_px;
    if (!least) return spec;
    const columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
    const panel = Math.floor((width - GAP * (columns - 1)) / columns - AXIS);
    return { ...spec, columns, spacing: { row: GAP, column: GAP }, spec: { ...spec.spec, width: Math.max(panel, 80) } };
  }

  async function draw(plot) {
    const width = plot.place.clientWidth;
    if (plot.drawnWidth === width) return;
    plot.drawnWidth = width;
    try {
      if (plot.result) plot.result.finalize();
      plot.result = await vegaEmbed(plot.place, fitted(plot.spec, width), options);
    } catch (error) {
      plot.place.textContent = `This chart could not be drawn: ${error.message}`;
      console.error(error);
    }
  }

  async function drawAll() {
    for (const plot of plots) await draw(plot);
    document.documentElement.dataset.charts = "drawn";
  }

  let pending = 0;
  window.addEventListener("resize", () => {
    clearTimeout(pending);
    pending = setTimeout(drawAll, 150);
  });

  // Sorting: numbers before texts, what is not known last, whichever way.
  function key(row, column) {
    const cell = row.cells[column].dataset.key;
    if (cell === undefined) return null;
    const number = Number(cell);
    return Number.isNaN(number) ? cell : number;
  }

  function compare(a, b, way) {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return way * (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));
  }

  function sort(button) {
    const header = button.closest("th");
    const table = header.closest("table");
    const column = [...header.parentNode.children].indexOf(header);
    const ascending = header.getAttribute("aria-sort") !== "ascending";
    for (const other of header.parentNode.children) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => [key(row, column), row]);
    keyed.sort((a, b) => compare(a[0], b[0], ascending ? 1 : -1));
    body.append(...keyed.map(([, row]) => row));
  }

  for (const button of document.querySelectorAll("table.sortable thead button")) {
    button.addEventListener("click", () => sort(button));
  }

  const closed = () => document.querySelectorAll("details[data-print]:not([open])");
  let unfolded = [];
  window.addEventListener("beforeprint", () => {
    unfolded = [...closed()];
    for (const one of unfolded) one.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const one of unfolded) one.open = false;
  });

  drawAll();
})();

"use strict";
// Draws the charts, sorts the tables, and unfolds for print what belongs on paper. No dependency but Vega-Embed.
(() => {
  const GAP = 14, AXIS = 56; // px between panels, and beside them for an axis

  const config = JSON.parse(document.getElementById("chart-config").textContent);
  const tooltip = { theme: "page", disableDefaultStyle: true, id: "chart-tooltip" };
  const options = { mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false, tooltip };
  const plots = [...document.querySelectorAll("[data-chart]")].map((place) => ({
    place,
    spec: JSON.parse(document.getElementById(place.dataset.chart).textContent),
  }));

  // A grid of panels gets as many columns as the page is wide; other charts are as wide as their place.
  function fitted(spec, width) {
    const panels = spec.usermeta;
    if (!panels) return { ...spec, width };
    const gap = panels.axes === "each" ? AXIS : GAP;
    const most = Math.floor((width - AXIS + gap) / (panels.panel_px + gap));
    const columns = Math.max(1, Math.min(most, spec.facet.sort.length));
    const room = Math.floor((width - AXIS - gap * (columns - 1)) / columns);
    const panel = Math.max(80, Math.min(room, 2 * panels.panel_px)); // one alone is not stretched over the page
    const header = { ...spec.facet.header, labelLimit: panel };
    const facet = { ...spec.facet, header };
    return { ...spec, facet, columns, spacing: { row: 12, column: gap }, spec: { ...spec.spec, width: panel } };
  }

  async function draw(plot, width) {
    if (plot.width === width) return;
    plot.width = width;
    // Names beside a chart get a third of it at most.
    const axisY = { ...config.axisY, labelLimit: Math.round(Math.max(90, Math.min(320, width / 3))) };
    try {
      if (plot.result) plot.result.finalize();
      plot.result = await vegaEmbed(plot.place, fitted(plot.spec, width), { ...options, config: { ...config, axisY } });
    } catch (error) {
      plot.place.textContent = `This chart could not be drawn: ${error.message}`;
      console.error(error);
    }
  }

  async function drawAll() {
    const widths = plots.map((plot) => plot.place.clientWidth); // all before the first is drawn: a layout each is slow
    for (const [index, plot] of plots.entries()) await draw(plot, widths[index]);
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

"use strict";
(function () {
  function cell(row, i) {
    const c = row.cells[i];
    return c.dataset.v === undefined ? c.textContent.trim().toLowerCase() : Number(c.dataset.v);
  }
  function sortable(table) {
    const body = table.tBodies[0];
    Array.from(table.tHead.rows[0].cells).forEach(function (th, i) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = th.textContent;
      th.replaceChildren(button);
      button.addEventListener("click", function () {
        const down = th.getAttribute("aria-sort") === "ascending";
        Array.from(th.parentNode.cells).forEach(function (other) { other.removeAttribute("aria-sort"); });
        th.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = Array.from(body.rows).map(function (row) { return [cell(row, i), row]; });
        rows.sort(function (a, b) { return (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0) * (down ? -1 : 1); });
        body.append.apply(body, rows.map(function (r) { return r[1]; }));
      });
    });
  }
  function filterable(table, controls) {
    const words = controls.querySelector("input");
    const bucket = controls.querySelector("select");
    const shown = controls.querySelector("output");
    const rows = Array.from(table.tBodies[0].rows);
    const texts = rows.map(function (row) { return row.textContent.toLowerCase(); });
    function apply() {
      const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      let n = 0;
      rows.forEach(function (row, i) {
        const keep = (bucket.value === "" || row.dataset.bucket === bucket.value) &&
          wanted.every(function (w) { return texts[i].includes(w); });
        row.hidden = !keep;
        n += keep ? 1 : 0;
      });
      shown.value = n + " of " + rows.length + " shown";
    }
    words.addEventListener("input", apply);
    bucket.addEventListener("change", apply);
    controls.hidden = false;
    apply();
  }
  document.querySelectorAll("table.sortable").forEach(sortable);
  const all = document.getElementById("conversations");
  if (all) { filterable(all, document.getElementById("controls")); }
})();

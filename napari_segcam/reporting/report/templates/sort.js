"use strict";
// A click on a heading sorts the table by that column, a second click in reverse; undefined values come last.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      const isNumber = heading.classList.contains("n");
      const keyed = [...table.tBodies[0].rows].map((row) => {
        const text = row.cells[column].textContent;
        return [isNumber ? parseFloat(text) : text, row];
      });
      const order = (a, b) => (isNumber ? a - b : a.localeCompare(b, undefined, { numeric: true }));
      keyed.sort(([a], [b]) => Number.isNaN(a) - Number.isNaN(b) || (down ? order(b, a) : order(a, b)));
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      table.tBodies[0].append(...keyed.map(([, row]) => row));
    });
  });
}

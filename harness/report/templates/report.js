// Sorts and filters the tables. Without this script the page is whole: nothing is hidden and no control is there.
"use strict";
const compareTexts = new Intl.Collator("en", { numeric: true }).compare;

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}

// Order of two rows by a column: numbers by the value that the page was written with, what has none comes last.
function order(column, numeric, sign) {
  const key = (row) => (numeric ? row.cells[column].dataset.value : row.cells[column].textContent.trim()) || null;
  return (a, b) => {
    const left = key(a), right = key(b);
    if (left === null || right === null) return (left === null) - (right === null);
    return sign * (numeric ? Number(left) - Number(right) : compareTexts(left, right));
  };
}

function makeSortable(table, rows) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (!head.textContent.trim()) return;
    const numeric = rows.some((row) => row.cells[column].dataset.value);
    const button = element("button", { type: "button", title: "sort: up, down, as written" });
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const next = { ascending: "descending", descending: "" }[head.getAttribute("aria-sort")] ?? "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      if (next) head.setAttribute("aria-sort", next);
      const sorted = next ? [...rows].sort(order(column, numeric, next === "ascending" ? 1 : -1)) : rows;
      table.tBodies[0].append(...sorted);
    });
  });
}

function makeFilterable(table, rows, title) {
  const input = element("input", { type: "search", placeholder: "filter rows", autocomplete: "off" });
  input.setAttribute("aria-label", `Filter rows of ${title}`);
  const count = element("output", {});
  const tools = element("div", { className: "tools" });
  tools.append(input, count);
  table.parentNode.before(tools);
  const texts = rows.map((row) => [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase());
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase().split(/\s+/);
    rows.forEach((row, place) => { row.hidden = !wanted.every((word) => texts[place].includes(word)); });
    const left = rows.filter((row) => !row.hidden).length;
    count.value = left < rows.length ? `${left} of ${rows.length} rows` : "";
  });
}

// A table that goes on beyond the edge says so, as long as there is more to the right.
function makeHint(frame) {
  const hint = element("p", { className: "hint", textContent: "more columns to the right →" });
  frame.before(hint);
  const update = () => { hint.hidden = frame.scrollLeft + frame.clientWidth >= frame.scrollWidth - 1; };
  frame.addEventListener("scroll", update);
  window.addEventListener("resize", update);
  update();
}

for (const table of document.querySelectorAll("table")) {
  makeHint(table.parentNode);
  const rows = [...table.tBodies[0].rows];
  if (rows.length > 1) makeSortable(table, rows);
  if (rows.length > 10) makeFilterable(table, rows, table.parentNode.getAttribute("aria-label"));
}

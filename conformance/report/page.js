"use strict";
// Everything shown comes from the JSON in the page, and is set as text: nothing here makes markup of it.
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const matrix = at("matrix"), panel = at("panel"), form = at("filter"), body = document.body;
const areas = [...matrix.querySelectorAll("tbody[data-area]")];

const rows = [...matrix.querySelectorAll("tr.clause")].map((element, i) => {
  const [id, severity, sentence, docs, outcomes] = data.rows[i];
  return { i, element, id, severity, sentence, docs, outcomes, area: id.split("/")[0], words: `${id} ${sentence}`.toLowerCase() };
});
const cells = new Map(Object.entries(data.cells).map(([key, texts]) => [key, texts.map((k) => data.texts[k])]));
for (const [key, texts] of cells) rows[key.split(" ")[0]].words += " " + texts.join(" ").toLowerCase();
rows.forEach((row) => {
  row.differs = new Set(row.outcomes).size > 1;
  row.element.dataset.row = row.i;
  [...row.outcomes].forEach((letter, j) => {
    const cell = row.element.cells[j + 1];
    cell.ariaLabel = data.looks[letter][0];
    cell.tabIndex = -1;
  });
});
const name = (column) => [column.implementation, column.version, column.extra].filter(Boolean).join(" ");

// --- filter: what is shown follows from the fields, the totals from what is shown

const choices = at("choices"), counted = rows.filter((row) => row.severity !== "smoke").length;
const boxes = (name) => [...choices.querySelectorAll(`[name=${name}]`)];
const chosen = (name) => boxes(name).filter((box) => box.checked).map((box) => box.value);
let visible = [];  // the rows of areas and clauses that can be reached, from top to bottom

function collect() {
  visible = [];
  for (const area of areas) {
    if (area.hidden) continue;
    visible.push(area.rows[0]);
    if (!area.classList.contains("folded")) visible.push(...[...area.rows].slice(1).filter((row) => !row.hidden));
  }
}

function filter() {
  const outcomes = chosen("outcome"), severities = chosen("severity"), area = at("area").value;
  const words = at("words").value.toLowerCase().split(/\s+/).filter(Boolean), differing = at("differing")?.checked;
  const left = new Map(areas.map((each) => [each.dataset.area, []]));
  for (const row of rows) {
    const shown = (!area || row.area === area) && (!severities.length || severities.includes(row.severity))
      && (!outcomes.length || outcomes.some((letter) => row.outcomes.includes(letter)))
      && (!differing || row.differs) && words.every((word) => row.words.includes(word));
    row.element.hidden = !shown;
    if (shown) left.get(row.area).push(row);
  }
  const shown = [...left.values()].flat();
  for (const each of areas) count(each, left.get(each.dataset.area));
  total(shown.filter((row) => row.severity !== "smoke"));
  at("nothing").hidden = shown.length > 0;
  collect();
  if (!active || !active.isConnected || !visible.includes(active.closest("tr"))) activate(stop(0, 0));
}

// How many of an area's rows are shown, and of these what is not as documented in each column.
function count(area, left) {
  const all = area.rows.length - 1, heads = area.rows[0].cells;
  area.hidden = !left.length;
  heads[0].querySelector("small").textContent = left.length === all ? all : `${left.length} of ${all}`;
  data.columns.forEach((_, j) => {
    const letters = left.map((row) => row.outcomes[j]);
    const found = ["f", "d", "x"].map((letter) => [letter, letters.filter((each) => each === letter).length]).filter(([, n]) => n);
    heads[j + 1].replaceChildren(...found.map(([letter, n]) => make("b", n + data.looks[letter][1], { className: letter })),
      found.length ? "" : data.looks[letters.includes("p") ? "p" : "s"][1]);
  });
}

function total(shown) {
  const said = shown.length === counted ? `${counted} clauses` : `${shown.length} of ${counted} clauses`;
  at("shown").textContent = said;
  const [bars, ...sums] = at("summary").rows, few = body.classList.contains("few");
  bars.cells[0].textContent = said;
  data.columns.forEach((_, j) => {
    const letters = shown.map((row) => row.outcomes[j]);
    for (const row of sums) {
      const wanted = row.dataset.outcome === "asked" ? data.asked : row.dataset.outcome;
      const n = letters.filter((letter) => wanted.includes(letter)).length;
      row.cells[j + 1].textContent = n;
      row.cells[j + 1].classList.toggle("zero", n === 0 && row.dataset.outcome !== "asked");
    }
    const bar = bars.cells[j + 1].querySelector("svg"), all = Math.max(1, letters.length);
    bar.setAttribute("viewBox", few ? `0 0 ${all} 1` : `0 0 1 ${all}`);
    let done = 0;
    bar.replaceChildren(...Object.keys(data.looks).map((letter) => {
      const n = letters.filter((each) => each === letter).length, part = document.createElementNS(bar.namespaceURI, "rect");
      const box = few ? { x: done, width: n, height: 1 } : { y: all - done - n, width: 1, height: n };
      for (const [key, value] of Object.entries({ class: letter, ...box })) part.setAttribute(key, value);
      done += n;
      return part;
    }));
  });
}

const changed = () => { filter(); remember(); };
for (const fields of [form, choices]) fields.addEventListener("input", changed);
at("area").addEventListener("change", changed);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(changed));
at("more").addEventListener("click", () => {
  at("more").setAttribute("aria-expanded", body.classList.toggle("choosing"));
});
at("words").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" && event.key !== "ArrowDown" || !active) return;
  event.preventDefault();
  active.focus();
});

// --- what it opens on: what a reader came for, with a line that says so

const failed = rows.filter((row) => row.outcomes.includes("f")).length, differ = rows.filter((row) => row.differs).length;
const several = data.columns.length > 1;
const lead = several && differ ? `${differ} of ${rows.length} rows differ between the columns, ${failed || "none"} failed.`
  : `${failed ? `${failed} of ${rows.length} rows` : "Nothing"} failed${several ? ", and the columns are alike" : ""}.`;
const news = several && differ ? "differing" : failed ? "failed" : "";
at("lead").firstElementChild.textContent = lead;
const isNews = () => news && at("words").value + at("area").value + chosen("severity") === ""
  && chosen("outcome").join() === (news === "failed" ? "f" : "") && Boolean(at("differing")?.checked) === (news === "differing");

function showNews() {
  if (news === "differing") at("differing").checked = true;
  for (const box of boxes("outcome")) if (news === "failed" && box.value === "f") box.checked = true;
}
at("other").addEventListener("click", () => {
  const showAll = isNews();
  form.reset();
  if (!showAll) setTimeout(() => { showNews(); changed(); });
});

// --- the address holds what is shown and which cell is open, so that it can be shared

function remember() {
  const said = new URLSearchParams(), put = (key, value) => { if (value) said.set(key, value); };
  put("words", at("words").value);
  put("area", at("area").value);
  put("outcome", chosen("outcome").join(""));
  put("severity", chosen("severity").join());
  put("differing", at("differing")?.checked ? "yes" : "");
  if (!String(said)) said.set("all", "");
  if (selected) put("cell", `${rows[selected.parentElement.dataset.row].id}@${selected.cellIndex}`);
  history.replaceState(null, "", `#${said}`);
  at("other").hidden = !news;
  at("other").textContent = isNews() ? `Show all ${rows.length}` : news === "differing" ? "Show what differs" : "Show what failed";
}

function recall() {
  const said = new URLSearchParams(location.hash.slice(1)), list = (key) => said.get(key) ?? "";
  at("words").value = list("words");
  at("area").value = list("area");
  if (at("area").selectedIndex < 0) at("area").selectedIndex = 0;
  for (const box of boxes("outcome")) box.checked = list("outcome").includes(box.value);
  for (const box of boxes("severity")) box.checked = list("severity").split(",").includes(box.value);
  if (at("differing")) at("differing").checked = said.has("differing");
  if (!location.hash.slice(1)) showNews();
  filter();
  const [id, j] = list("cell").split("@"), row = rows.find((each) => each.id === id);
  const cell = row?.element.cells[j];
  if (cell?.matches(".clause > td:not(.promise)")) { activate(cell); open(cell); } else remember();
}
addEventListener("hashchange", recall);

function fold(area, folded) {
  area.classList.toggle("folded", folded);
  area.querySelector("button").setAttribute("aria-expanded", !folded);
}
at("fold").addEventListener("click", () => {
  const folded = at("fold").getAttribute("aria-pressed") !== "true";
  at("fold").setAttribute("aria-pressed", folded);
  areas.forEach((area) => fold(area, folded));
  collect();
});

// --- moving: one cell, or one area's button, can be reached with Tab; arrows go on from there

let active = null, column = 0;

function stop(index, j) {
  const row = visible[index];
  return row && (row.matches(".area") ? row.querySelector("button") : row.cells[j + 1]);
}
function activate(element) {
  if (active) active.tabIndex = -1;
  active = element;
  if (active) active.tabIndex = 0;
}
matrix.addEventListener("focusin", (event) => activate(event.target.closest(".clause > td:not(.promise), .area button") || active));
matrix.addEventListener("keydown", (event) => {
  const here = event.target.closest(".clause > td:not(.promise), .area button");
  if (!here || event.altKey || event.metaKey) return;
  const index = visible.indexOf(here.closest("tr")), last = visible.length - 1, end = data.columns.length - 1;
  const onArea = here.matches("button");
  if (!onArea) column = here.cellIndex - 1;
  const to = {
    ArrowUp: () => [index - 1, column], ArrowDown: () => [index + 1, column],
    ArrowLeft: () => [index, column - 1], ArrowRight: () => [index, column + 1],
    PageUp: () => [index - 15, column], PageDown: () => [index + 15, column],
    Home: () => [event.ctrlKey ? 0 : index, 0], End: () => [event.ctrlKey ? last : index, end],
  }[event.key];
  if (to) {
    event.preventDefault();
    const [i, j] = to();
    column = Math.max(0, Math.min(end, j));
    const next = stop(Math.max(0, Math.min(last, i)), column);
    next.focus();
    if (body.classList.contains("open") && next.matches("td")) open(next);
  } else if ((event.key === "Enter" || event.key === " ") && !onArea) {
    event.preventDefault();
    open(here);
  }
});
matrix.addEventListener("click", (event) => {
  const button = event.target.closest(".area button"), cell = event.target.closest(".clause > td:not(.promise)");
  if (button) {
    const area = button.closest("tbody");
    fold(area, !area.classList.contains("folded"));
    collect();
  } else if (cell) {
    cell.focus();
    open(cell);
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && body.classList.contains("open")) close();
  if (event.key === "/" && !event.target.matches("input, select")) { event.preventDefault(); at("words").focus(); }
});

// --- the panel

let selected = null;

function make(tag, text, attributes = {}) {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  Object.assign(element, attributes);
  return element;
}
function mark(letter) {
  return make("b", data.looks[letter][1], { className: letter, ariaHidden: "true" });
}
// An address becomes a link only if it leads to a page: any other scheme stays text.
function address(text) {
  return /^https?:\/\/[^\s]+$/i.test(text) ? make("a", text, { href: text, target: "_blank", rel: "noopener noreferrer" }) : make("span", text);
}
function said(title, text, copied = false) {
  const heading = make("h3", title);
  if (copied) {
    const button = make("button", "Copy", { type: "button" });
    button.addEventListener("click", () => copy(button, text));
    heading.append(button);
  }
  return [heading, make("pre", text)];
}
async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {  // a page from a file may not be allowed to: leave it selected
    getSelection().selectAllChildren(button.closest("h3").nextElementSibling);
    button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

// The outcomes of a row, columns of one implementation that follow each other with the same outcome taken together.
function across(row) {
  const list = make("ul");
  for (let j = 0, k; j < data.columns.length; j = k) {
    for (k = j + 1; k < data.columns.length && row.outcomes[k] === row.outcomes[j]
      && data.columns[k].implementation === data.columns[j].implementation; k += 1);
    const last = data.columns[k - 1];
    const item = make("li");
    item.append(mark(row.outcomes[j]), name(data.columns[j]) + (k - 1 > j ? ` to ${[last.version, last.extra].filter(Boolean).join(" ")}` : ""),
      make("span", data.looks[row.outcomes[j]][0], { className: "made" }));
    list.append(item);
  }
  return [make("h3", "In all columns"), list];
}

function open(cell) {
  const row = rows[cell.parentElement.dataset.row], j = cell.cellIndex - 1, head = data.columns[j];
  const [reason, link, witness, observed, expected, script] = cells.get(`${row.i} ${j}`) || [];
  const letter = row.outcomes[j], parts = [];
  const top = make("header"), title = make("h2", row.id.split("/")[1]), shut = make("button", "Close", { type: "button" });
  title.prepend(make("small", `${row.area} · ${row.severity}`));
  shut.addEventListener("click", close);
  top.append(title, shut);
  const verdict = make("p", "", { className: "verdict" });
  verdict.append(mark(letter), `${data.looks[letter][0]}: ${name(head)}`);
  parts.push(top, verdict, make("p", row.sentence, { className: "lede" }));
  if (row.docs) { const docs = make("p", "Documented at "); docs.append(address(row.docs)); parts.push(docs); }
  if (reason) parts.push(make("h3", "Reason"), make("div", reason));
  if (link) { const where = make("div"); where.append(address(link)); parts.push(make("h3", "Reported"), where); }
  if (observed) parts.push(...said("Observed", observed));
  if (expected) parts.push(...said("Expected", expected));
  if (witness) parts.push(...said("Witness", witness, true));
  if (script) parts.push(...said("Script", script, true));
  if (data.columns.length > 1) parts.push(...across(row));
  parts.push(make("h3", "This column"), make("p", `${head.implementation} ${head.version} on ${head.device}, Python ${head.python}, ${head.platform}, `
    + `profile ${head.profile}, seed ${head.seed}, from ${head.file}`, { className: "made" }));
  selected?.removeAttribute("aria-selected");
  (selected = cell).setAttribute("aria-selected", "true");
  at("detail").replaceChildren(...parts);
  at("detail").hidden = false;
  at("legend").hidden = true;
  body.classList.add("open");
  panel.scrollTop = 0;
  cell.scrollIntoView({ block: "nearest", inline: "nearest" });
  remember();
}
function close() {
  body.classList.remove("open");
  at("detail").hidden = true;
  at("legend").hidden = false;
  selected?.removeAttribute("aria-selected");
  selected?.focus();
  selected = null;
  remember();
}

at("help").addEventListener("click", () => {
  const reading = body.classList.contains("open") && selected === null;
  close();
  body.classList.toggle("open", !reading);
  at("legend").scrollIntoView({ block: "nearest" });
});

recall();

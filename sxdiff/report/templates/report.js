// Search, filters, keys and links of the report. Nothing here is needed to read it.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const tools = document.getElementById("tools");
  const tree = document.getElementById("differences");
  if (!tools || !tree) return;
  const fields = tools.elements;
  const told = tools.querySelector("output");
  const number = new Intl.NumberFormat("en");

  // One pass over the page: every difference with its steps, every step with what is above it.
  const steps = [];
  const leaves = [];
  const places = new Map();
  const walk = (element, above, path) => {
    for (const child of element.children) {
      if (child.localName === "details") {
        const name = child.firstElementChild.firstChild.data;
        const step = { element: child, above, count: 0, path: path ? `${path} › ${name}` : name };
        steps.push(step);
        if (!above || !above.above) places.set(step.path, step);
        walk(child, step, step.path);
      } else if (child.localName === "ul") {
        for (const item of child.children) leaves.push({ element: item, above, path, text: null });
      }
    }
  };
  walk(tree, null, "");
  const byId = new Map(leaves.map((leaf) => [leaf.element.id, leaf]));
  if (places.size > 1) {
    for (const path of places.keys()) fields.where.add(new Option(path, path));
  } else {
    fields.where.closest("label").remove();
  }
  tools.hidden = false;

  const inside = (leaf, place) => {
    for (let step = leaf.above; step; step = step.above) if (step === place) return true;
    return false;
  };
  const value = (name) => (fields[name] ? fields[name].value : "");
  let shown = leaves;
  const filter = () => {
    const words = value("q").toLowerCase().split(/\s+/).filter(Boolean);
    const state = value("state");
    const cause = value("cause");
    const place = places.get(value("where"));
    for (const step of steps) step.count = 0;
    shown = leaves.filter((leaf) => {
      const element = leaf.element;
      if (state && !element.classList.contains(state)) return false;
      if (cause && !(element.dataset.c || "").split(" ").includes(cause)) return false;
      if (place && !inside(leaf, place)) return false;
      if (words.length) {
        leaf.text ??= `${leaf.path} ${element.textContent}`.toLowerCase();
        if (!words.every((word) => leaf.text.includes(word))) return false;
      }
      for (let step = leaf.above; step; step = step.above) step.count++;
      return true;
    });
    const all = shown.length === leaves.length;
    const wanted = all ? null : new Set(shown);
    for (const leaf of leaves) {
      const hide = wanted !== null && !wanted.has(leaf);
      if (leaf.element.hidden !== hide) leaf.element.hidden = hide;
    }
    for (const step of steps) {
      const hide = step.count === 0;
      if (step.element.hidden !== hide) step.element.hidden = hide;
      if (!all && !hide && shown.length <= 500) step.element.open = true;
    }
    told.value = all
      ? `${number.format(leaves.length)} ${leaves.length === 1 ? "difference" : "differences"}`
      : `${number.format(shown.length)} of ${number.format(leaves.length)}`;
  };

  // The address keeps difference and filters, so that a link to it shows the same again.
  const names = ["q", "where", "state", "cause"];
  let current = "";
  const remember = () => {
    const kept = new URLSearchParams();
    for (const name of names) if (value(name)) kept.set(name, value(name));
    const hash = [current, kept.toString()].filter(Boolean).join("&");
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  };
  const recall = () => {
    const [first, ...rest] = location.hash.slice(1).split("&");
    current = first.includes("=") ? "" : first;
    const kept = new URLSearchParams((current ? rest : [first, ...rest]).join("&"));
    for (const name of names) if (fields[name]) fields[name].value = kept.get(name) || "";
    filter();
    if (byId.has(current)) reveal(byId.get(current), false);
  };
  const reveal = (leaf, focus) => {
    if (leaf.element.hidden) {
      for (const name of names) if (fields[name]) fields[name].value = "";
      filter();
    }
    for (let step = leaf.above; step; step = step.above) step.element.open = true;
    leaf.element.scrollIntoView({ block: "center", behavior: "instant" });
    if (focus) leaf.element.querySelector("a").focus({ preventScroll: true });
  };
  let timer = 0;
  tools.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { filter(); remember(); }, 60);
  });
  tools.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", recall);

  const next = () => {
    const open = shown.filter((leaf) => leaf.element.classList.contains("u"));
    if (!open.length) {
      told.value = "nothing unexplained here";
      return;
    }
    const at = open.findIndex((leaf) => leaf.element.id === current);
    const leaf = open[(at + 1) % open.length];
    current = leaf.element.id;
    location.replace(`#${current}`);
    reveal(leaf, true);
    remember();
  };
  const unfold = (open) => { for (const step of steps) step.element.open = open; };
  tools.addEventListener("click", (event) => {
    if (event.target.name === "next") next();
    if (event.target.name === "open") unfold(true);
    if (event.target.name === "close") unfold(false);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select")) return;
    if (event.key === "n") next();
    if (event.key === "/") {
      event.preventDefault();
      fields.q.focus();
    }
  });

  // A difference as Markdown, for a bug report. One button follows the pointer and the focus.
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy as Markdown";
  const offer = (event) => {
    const item = event.target.closest ? event.target.closest("#differences li") : null;
    if (item && button.parentNode !== item.firstElementChild) {
      button.textContent = "Copy as Markdown";
      item.firstElementChild.append(button);
    }
  };
  tree.addEventListener("pointerover", offer);
  tree.addEventListener("focusin", offer);
  const fence = (text) => {
    const longest = Math.max(2, ...(text.match(/`+/g) || []).map((run) => run.length));
    const ticks = "`".repeat(longest + 1);
    return `${ticks}\n${text}\n${ticks}`;
  };
  const rows = (table) => [...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent).join("  "));
  const markdown = (leaf) => {
    const item = leaf.element;
    const what = item.querySelector(".what");
    const label = what.querySelector("b");
    const route = [leaf.path, label && label.textContent].filter(Boolean).join(" › ");
    const notes = what.querySelector("small");
    const parts = [`${item.id}, ${what.querySelector("code").textContent}${notes ? `; ${notes.textContent}` : ""}`];
    const lines = [route];
    for (const side of item.querySelectorAll(".side")) {
      const said = [...side.childNodes].filter((one) => one.nodeType === Node.TEXT_NODE || one.localName === "mark");
      lines.push(`${side.classList.contains("a") ? "a" : "b"}: ${said.map((one) => one.textContent).join("")}`);
    }
    for (const row of item.querySelectorAll(".lines tr")) {
      const [, a, , b] = [...row.cells].map((cell) => cell);
      if (!a.classList.contains("changed") && !b.classList.contains("changed")) lines.push(` ${a.textContent}`);
      if (a.classList.contains("changed")) lines.push(`-${a.textContent}`);
      if (b.classList.contains("changed")) lines.push(`+${b.textContent}`);
    }
    for (const table of item.querySelectorAll(".dump, .moves")) lines.push(...rows(table));
    parts.push(fence(lines.join("\n")));
    return `${parts.join("\n\n")}\n`;
  };
  const copied = (text) => {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  };
  button.addEventListener("click", async () => {
    const text = markdown(byId.get(button.closest("li").id));
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      done = copied(text);
    }
    button.textContent = done ? "Copied" : "Cannot copy here";
    button.focus();
  });
  tree.addEventListener("click", (event) => {
    const link = event.target.closest(".what a");
    if (link) {
      current = link.hash.slice(1);
      event.preventDefault();
      location.replace(`#${current}`);
      remember();
    }
  });

  // On paper nothing can be unfolded.
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const details of folded) details.open = true;
  });
  window.addEventListener("afterprint", () => { for (const details of folded) details.open = false; });
  recall();
});

"use strict";
(() => {
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const matrix = document.body.classList.contains("index");

  // A requirement's cases open and close; without scripts they are all there.
  const setOpen = (item, open) => {
    if (item.tagName === "DETAILS") { item.open = open; return; }
    item.classList.toggle("open", open);
    const toggle = item.querySelector(".toggle");
    if (toggle) toggle.setAttribute("aria-expanded", open);
  };
  for (const body of all(".matrix tbody")) {
    const name = body.querySelector(".r b"), toggle = document.createElement("button");
    toggle.type = "button";
    toggle.className = "toggle";
    name.replaceWith(toggle);
    toggle.append(name);
    toggle.setAttribute("aria-label", name.textContent + ": its cases");
    toggle.addEventListener("click", () => setOpen(body, !body.classList.contains("open")));
    toggle.setAttribute("aria-expanded", false);
  }

  const form = document.querySelector(".controls");
  const items = all("[data-item]"), groups = all("[data-group]").reverse();
  const search = document.getElementById("q"), verdict = document.getElementById("verdict");
  const differs = document.getElementById("differs"), status = form.querySelector(".status"), everything = document.getElementById("all");
  const words = new Map();
  const textOf = (item) => {
    if (!words.has(item)) {
      const section = item.closest(".requirement"), head = section ? section.querySelector("h4").textContent : "";
      words.set(item, (head + " " + item.textContent).toLowerCase());
    }
    return words.get(item);
  };
  const counted = matrix ? items.filter((item) => item.closest(".matrix")) : items;
  const filter = () => {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const levels = new Set(all("[name=level]:checked", form).map((box) => box.value));
    for (const item of items) {
      item.hidden = !(levels.has(item.dataset.level)
        && (!verdict.value || item.dataset.v.includes("|" + verdict.value + "|"))
        && (!(differs && differs.checked) || "differs" in item.dataset)
        && wanted.every((word) => textOf(item).includes(word)));
    }
    for (const group of groups) group.hidden = !all("[data-item]", group).some((item) => !item.hidden);
    const shown = counted.filter((item) => !item.hidden).length;
    status.textContent = (shown === counted.length ? "All " + shown : shown + " of " + counted.length)
      + (matrix ? " requirements" : " cases") + " shown" + (shown ? "." : ". No match: change the search or the filters.");
  };
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  let waiting = 0;
  for (const kind of ["input", "change"]) form.addEventListener(kind, () => { clearTimeout(waiting); waiting = setTimeout(filter, 80); });
  everything.addEventListener("click", () => {
    const open = everything.getAttribute("aria-pressed") !== "true";
    everything.setAttribute("aria-pressed", open);
    for (const item of counted) if (!item.hidden) setOpen(item, open);
  });
  filter();

  // #case=NAME, #requirement=NAME, #preparation=NUMBER: show it, open it, go there.
  const follow = () => {
    let name;
    try { name = decodeURIComponent(location.hash.slice(1)); } catch { return; }
    const found = name && document.getElementById(name);
    if (!found) return;
    const item = found.closest("[data-item],details");
    if (found.closest("[hidden]")) { form.reset(); filter(); }
    if (item && (name.startsWith("case=") || name.startsWith("preparation=") || matrix)) setOpen(item, true);
    (item && item.tagName === "DETAILS" ? item : found).scrollIntoView({ block: "start" });
    const focus = item && item.querySelector("summary,.toggle");
    if (focus) focus.focus({ preventScroll: true });
  };
  addEventListener("hashchange", follow);
  addEventListener("load", () => setTimeout(follow)); // once more: the browser goes there by itself until then
  follow();

  // On paper: what deviates or is undecided with its evidence, the rest in a line each.
  addEventListener("beforeprint", () => {
    for (const item of items) if (item.tagName === "DETAILS" && /deviates|inconclusive/.test(item.dataset.v)) item.open = true;
  });
})();

(() => {
  // Draws a case's transcript when it is opened. The table beneath says the same, to readers without scripts too.
  const NS = "http://www.w3.org/2000/svg", LEFT = 62, LANE = 30, ROW = 24, GAP = 250, LONGEST = 110;
  const put = (parent, name, attributes, text) => {
    const made = document.createElementNS(NS, name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    if (text !== undefined) made.textContent = text;
    return parent.appendChild(made);
  };
  const cut = (text) => { const all = [...text]; return all.length > LONGEST ? all.slice(0, LONGEST - 1).join("") + "…" : text; };
  const read = (table) => [...table.tBodies[0].rows].map((row) => {
    const [at, session, text, took] = [...row.cells].map((cell) => cell.textContent.trim());
    return { kind: row.className, at: Number(at), session, text: text.slice(2), took };
  });

  const draw = (events) => {
    const lanes = [...new Set(events.map((event) => event.session))], HEAD = 26 + 5 * Math.min(18, Math.max(6, ...lanes.map((lane) => lane.length)));
    const x = (session) => LEFT + LANE / 2 + lanes.indexOf(session) * LANE, server = LEFT + lanes.length * LANE + 18, label = server + 16;
    const svg = document.createElementNS(NS, "svg"), back = put(svg, "g"), front = put(svg, "g");
    svg.setAttribute("class", "tl");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", "Timeline of " + lanes.length + " sessions and " + events.length + " events; the transcript below says the same.");
    const name = (at, text) => put(front, "text", { class: "name", x: at, y: HEAD - 10, transform: "rotate(-40 " + at + " " + (HEAD - 10) + ")" }, cut(text).slice(0, 18));
    const started = new Map(), ended = new Map(), flying = new Map();
    let y = HEAD, last = null, widest = 0;
    lanes.forEach((lane) => name(x(lane), lane));
    name(server, "server");
    const arrow = (from, to, kind) => {
      const way = to > from ? -1 : 1;
      put(front, "path", { class: kind + " line", d: "M" + from + " " + y + "H" + (to + way * 6) });
      put(front, "path", { class: kind, d: "M" + to + " " + y + "l" + way * 7 + " -4v8z" });
    };
    for (const event of events) {
      y += ROW;
      const lane = x(event.session);
      if (last !== null && event.at - last >= GAP) {
        put(back, "path", { class: "break", d: "M" + LEFT + " " + y + "H" + (label + 120) });
        put(front, "text", { class: "gap", x: label, y: y + 4 }, "… " + ((event.at - last) / 1000).toFixed(1) + " s later");
        y += ROW;
      }
      last = event.at;
      put(front, "text", { class: "at", x: LEFT - 10, y: y + 4, "text-anchor": "end" }, event.at.toFixed(1));
      if (!started.has(event.session)) started.set(event.session, event.kind === "l" ? y : HEAD);
      const failed = event.kind === "h" && /^(error|connection lost|no reply)/.test(event.text);
      const row = event.kind === "e" && event.text.startsWith("row ");
      if (event.kind === "s") { flying.set(event.session, y); arrow(lane + 3, server - 2, "say"); }
      if (event.kind === "h") {
        if (flying.has(event.session)) put(back, "path", { class: "flight", d: "M" + lane + " " + flying.get(event.session) + "V" + y });
        flying.delete(event.session);
        arrow(server - 2, lane + 4, "hear" + (failed ? " error" : ""));
      }
      if (event.kind === "l") put(front, "circle", { class: "dot", cx: lane, cy: y, r: 4.5 });
      if (event.kind === "n") put(front, "circle", { class: "dot", cx: lane, cy: y, r: 2.5 });
      if (row) put(front, "rect", { class: "row", x: server - 5, y: y - 5, width: 10, height: 10 });
      else if (event.kind === "e") {
        put(front, "path", { class: "death", d: "M" + (lane - 6) + " " + (y - 6) + "l12 12m0 -12l-12 12" });
        if (!ended.has(event.session)) ended.set(event.session, y);
      }
      const said = cut((event.kind === "l" ? "connects " : "") + event.text), style = event.kind === "e" ? "death" : failed ? "error" : "";
      const text = put(front, "text", { x: label, y: y + 4, class: style, direction: "ltr" });
      put(text, "tspan", { class: "took" }, event.session + (event.kind === "s" ? " → " : event.kind === "h" ? " ← " : " "));
      put(text, "tspan", {}, "\u2068" + said + "\u2069");
      if (event.took) put(text, "tspan", { class: "took", dx: 8 }, event.took + " ms");
      put(text, "title", {}, event.text);
      widest = Math.max(widest, [...said].length + event.session.length + 14);
    }
    y += ROW;
    for (const [session, from] of flying) put(back, "path", { class: "flight", d: "M" + x(session) + " " + from + "V" + (ended.get(session) || y) });
    for (const lane of lanes) put(back, "path", { class: "lane", d: "M" + x(lane) + " " + started.get(lane) + "V" + (ended.get(lane) || y) });
    put(back, "path", { class: "server", d: "M" + server + " " + HEAD + "V" + y });
    svg.setAttribute("width", label + Math.ceil(widest * 7.3));
    svg.setAttribute("height", y + 6);
    return svg;
  };

  const enrich = (item) => {
    const table = item.querySelector(".evidence .lines");
    if (!table || item.querySelector("figure")) return;
    const figure = document.createElement("figure"), caption = document.createElement("figcaption");
    figure.tabIndex = 0;
    caption.textContent = "Times in ms since the start of the case. → sent, ← received, ○ connected, ✕ connection closed, □ row gone from the process list; a thick lane: a statement in flight. Each event is drawn at the time at which the runner noticed it.";
    figure.append(draw(read(table)), caption);
    const said = document.createElement("details"), head = document.createElement("summary");
    said.className = "said";
    head.textContent = "Transcript";
    table.before(figure, said);
    said.append(head, table);
    const script = item.querySelector(".hand"), copy = document.createElement("button");
    copy.type = "button";
    copy.textContent = "Select";
    copy.setAttribute("aria-label", "Select the statements, to copy them");
    copy.addEventListener("click", () => getSelection().selectAllChildren(script.querySelector("pre")));
    script.append(copy);
  };
  document.addEventListener("toggle", (event) => { if (event.target.open && event.target.matches(".case")) enrich(event.target); }, true);
  for (const item of document.querySelectorAll(".case[open]")) enrich(item);
})();

"use strict";
// The blind rating of a class gallery. All it knows stands in the page; what it gives is a file of votes, and it sends nothing.
(() => {
  const { words, entries } = JSON.parse(document.getElementById("data").textContent);
  const VOTES = 30; // that one person is asked for at most
  const wall = document.getElementById("wall");
  const room = document.getElementById("rating");
  const begin = document.getElementById("begin");
  const say = (key, values = {}) => words[`js_${key}`].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const element = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const shuffle = (list) => {
    for (let i = list.length - 1; i > 0; i--) {
      const j = crypto.getRandomValues(new Uint32Array(1))[0] % (i + 1);
      [list[i], list[j]] = [list[j], list[i]];
    }
    return list;
  };

  /** Pairs of two pictures, so that all are seen about equally often; those of one sketch come first. */
  function choosePairs(mine) {
    const pairs = [];
    for (let i = 0; i < mine.length; i++) for (let j = i + 1; j < mine.length; j++) pairs.push(shuffle([mine[i], mine[j]]));
    const seen = new Map(mine.map((entry) => [entry.id, 0]));
    const chosen = [];
    shuffle(pairs);
    while (pairs.length && chosen.length < VOTES) {
      const cost = ([a, b]) => 2 * (seen.get(a.id) + seen.get(b.id)) - (a.sketch === b.sketch ? 1 : 0);
      let best = 0;
      for (let i = 1; i < pairs.length; i++) if (cost(pairs[i]) < cost(pairs[best])) best = i;
      const [pair] = pairs.splice(best, 1);
      for (const entry of pair) seen.set(entry.id, seen.get(entry.id) + 1);
      chosen.push(pair);
    }
    return chosen;
  }

  /** A cell of a table that no spreadsheet takes for a formula. */
  function cell(value) {
    const text = String(value);
    return `"${(/^[=+\-@\t\r]/.test(text) ? "'" : "") + text.replace(/"/g, '""')}"`;
  }

  let leave = null; // takes the keys away again

  function ask() {
    const name = element("input", { type: "text", maxLength: 60, autocomplete: "off" });
    const people = [...new Set(entries.map((entry) => entry.person))].filter(Boolean);
    const own = element("select", {}, element("option", { value: "" }, say("nobody")));
    for (const person of people) own.append(element("option", { value: person }, person));
    const wrong = element("p", { className: "alert" });
    wrong.setAttribute("role", "alert");
    const form = element("form", {}, element("label", {}, say("who"), name));
    if (people.length) form.append(element("label", {}, say("own"), own), element("p", {}, say("own_note")));
    form.append(element("div", { className: "row" }, element("button", { type: "submit" }, say("start")), back()), wrong);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const rater = name.value.trim();
      const pairs = choosePairs(entries.filter((entry) => !own.value || entry.person !== own.value));
      if (!rater) wrong.textContent = say("no_name");
      else if (!pairs.length) wrong.textContent = say("too_few");
      else vote((begun = { rater, pairs, votes: [] }));
    });
    open(form);
    name.focus();
  }

  let begun = null; // who goes back to the gallery in between goes on later

  function vote({ rater, pairs, votes }) {
    let since = performance.now();
    const side = () => {
      const image = element("img");
      return { image, button: element("button", { type: "button" }, image) };
    };
    const [left, right] = [side(), side()];
    const count = element("span");
    count.setAttribute("role", "status");
    const tie = element("button", { type: "button" }, say("tie"));
    const undo = element("button", { type: "button", disabled: true }, say("undo"));
    const save = element("button", { type: "button" }, say("save"));
    const heading = element("h2", { tabIndex: -1 }, say("which"));
    const pair = element("div", { className: "pair" }, left.button, right.button);
    const keys = element("p", {}, say("keys"));

    function show() {
      const at = votes.length;
      const over = at === pairs.length;
      pair.hidden = tie.hidden = keys.hidden = over;
      heading.textContent = over ? say("thanks") : say("which");
      undo.disabled = at === 0;
      save.disabled = at === 0;
      count.textContent = say("done", { done: at, total: pairs.length });
      if (over) return heading.focus();
      [left, right].forEach((place, i) => {
        place.image.src = document.getElementById(`p${pairs[at][i].id}`).src;
        place.image.alt = say(i ? "right" : "left");
      });
      since = performance.now();
    }
    function cast(choice) {
      if (votes.length === pairs.length) return;
      const [a, b] = pairs[votes.length];
      const seconds = Math.round(performance.now() - since) / 1000;
      const sketch = a.sketch === b.sketch ? a.sketch : "different";
      votes.push([rater, sketch, a.id, b.id, a.label, b.label, choice, seconds]);
      show();
    }
    const takeBack = () => {
      votes.pop();
      show();
    };
    function give() {
      const head = ["rater", "sketch", "left", "right", "left_cell", "right_cell", "vote", "seconds"];
      const text = [head, ...votes.map((row) => row.map(cell))].map((row) => row.join(",")).join("\r\n");
      const link = element("a", { download: `votes-${rater.replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 40)}.csv` });
      link.href = URL.createObjectURL(new Blob([`${text}\r\n`], { type: "text/csv" }));
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
      begun.saved = votes.length;
    }
    left.button.addEventListener("click", () => cast("left"));
    right.button.addEventListener("click", () => cast("right"));
    tie.addEventListener("click", () => cast("tie"));
    undo.addEventListener("click", takeBack);
    save.addEventListener("click", give);
    const choices = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "tie" };
    const pressed = (event) => {
      if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
      if (choices[event.key]) event.preventDefault();
      if (choices[event.key]) cast(choices[event.key]);
      else if (event.key === "u" && votes.length) takeBack();
    };
    document.addEventListener("keydown", pressed);
    open(heading, keys, pair, element("div", { className: "row" }, tie, undo, save, back(), count));
    leave = () => {
      document.removeEventListener("keydown", pressed);
    };
    show();
    heading.focus();
  }

  function open(...parts) {
    close();
    wall.hidden = begin.hidden = true;
    room.hidden = false;
    room.replaceChildren(...parts);
  }
  function close() {
    if (leave) leave();
    leave = null;
    room.hidden = true;
    wall.hidden = begin.hidden = false;
  }
  function back() {
    const button = element("button", { type: "button" }, say("back"));
    button.addEventListener("click", () => {
      close();
      begin.focus();
    });
    return button;
  }
  window.addEventListener("beforeunload", (event) => {
    if (begun && begun.votes.length > (begun.saved || 0)) event.preventDefault();
  });
  begin.addEventListener("click", () => (begun ? vote(begun) : ask()));
})();

// What a pad says of where its drawing is kept, and what saves a drawing that Python never heard of.

const UNHEARD = 5000; // ms without an answer after which the page says so

/** Drawings that no kernel has answered for, by the place where they are to be kept; all widgets of a page share them. */
function unheardDrawings() {
  const key = Symbol.for("s2i_teach unheard drawings");
  window[key] = window[key] || new Map();
  return window[key];
}

/** A drawing laid over another one: a longer history goes on, anything else is put on a new page, so that undo brings both back. */
function laidOver(before, after) {
  const text = (drawing) => JSON.stringify(drawing.ops.slice(0, drawing.done));
  if (text(before) === text(after)) return null;
  if (JSON.stringify(after.ops.slice(0, before.ops.length)) === JSON.stringify(before.ops)) return after;
  if (before.width !== after.width || before.height !== after.height) return null;
  const ops = [...before.ops.slice(0, before.done), { tool: "clear" }, ...visibleOps(after)];
  return { ...before, ops, done: ops.length };
}

/**
 * Shows the model's "kept" on its pad. put(drawing) hands a drawing that was saved from a dead kernel to Python.
 * Returns drawn(drawing), to be called with every finished change of the page.
 */
function watchKept({ model, pad, words, cleanups, put }) {
  const waiting = unheardDrawings();
  let timer = null;
  const place = () => model.get("kept").place;

  function show() {
    pad.kept(model.get("kept"));
  }

  function unheard() {
    pad.kept({ said: words("unheard"), wrong: true });
  }

  function ask() {
    if (timer === null) timer = setTimeout(unheard, UNHEARD);
    try {
      model.send({ do: "heard" });
    } catch {
      unheard(); // JupyterLab knows that the kernel is gone
    }
  }

  function heard(message) {
    if (!message.heard) return;
    clearTimeout(timer);
    timer = null;
    waiting.delete(place());
    show();
  }

  function drawn(drawing) {
    if (!place()) return;
    waiting.set(place(), drawing);
    ask();
  }

  function begin() {
    if (!place()) return;
    const saved = waiting.get(place());
    const next = saved && laidOver(model.get("drawing"), saved);
    if (next) put(next);
    ask();
  }

  listen(model, cleanups, "change:kept", show);
  listen(model, cleanups, "msg:custom", heard);
  cleanups.push(() => clearTimeout(timer));
  show();
  begin();
  return drawn;
}

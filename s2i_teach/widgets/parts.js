// Pieces that every widget is made of. The files of a widget are joined to one module in the order parts, pad, the widget's own
// pieces, widget; the last one exports. They share one scope: a name at the outermost level stands in one file only.

const SVG_SPACE = "http://www.w3.org/2000/svg";

/** An element. Attributes starting with "on" are listeners; children are elements or text, which is never read as HTML. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const ICONS = {
  brush: "M4 20c3 0 4-1 4-3a2.5 2.5 0 0 0-5 0c0 1 0 2-1 2M9 15 19 4",
  eraser: "m8 20-5-5 10-11 7 7-8 9zM7 11l7 7M8 20h12",
  mask: "M4 7V4h3M11 4h2M17 4h3v3M20 11v2M20 17v3h-3M13 20h-2M7 20H4v-3M4 13v-2M8 15l3-3 2 2 3-4",
  unmask: "M4 7V4h3M11 4h2M17 4h3v3M20 11v2M20 17v3h-3M13 20h-2M7 20H4v-3M4 13v-2M9 9l6 6M15 9l-6 6",
  undo: "M8 5 3 10l5 5M3 10h11a6 6 0 0 1 0 12h-3",
  redo: "m16 5 5 5-5 5M21 10H10a6 6 0 0 0 0 12h3",
  page: "M6 3h8l5 5v13H6zM14 3v5h5M12 11v7M8.5 14.5h7",
  open: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9h.01",
  die: "M4 4h16v16H4zM8 8h.01M16 8h.01M12 12h.01M8 16h.01M16 16h.01",
  play: "M7 4l13 8-13 8z",
  pause: "M8 5v14M16 5v14",
  star: "m12 3 2.7 6 6.3.6-4.8 4.2 1.4 6.4L12 16.8 6.4 20.2l1.4-6.4L3 9.6 9.3 9z",
};

function icon(name) {
  const svg = document.createElementNS(SVG_SPACE, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG_SPACE, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A button with an icon and a name that is read aloud and shown on hovering; keys are added to what is shown. */
function iconButton(name, label, onclick, keys = "") {
  const title = keys ? `${label} (${keys})` : label;
  return h("button", { type: "button", class: "s2i-icon", "aria-label": label, title, onclick }, icon(name));
}

/** The words of the interface: words(key, {n: 3}) is the table's entry with {n} filled in. */
function makeWords(table) {
  return (key, values = {}) => {
    if (!(key in table)) throw new Error(`no word for ${key}`);
    return table[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  };
}

/** Colour and darkness of what lies behind an element. */
function isDarkBehind(element) {
  for (let node = element.parentElement; node; node = node.parentElement) {
    const parts = getComputedStyle(node).backgroundColor.match(/[\d.]+/g);
    if (parts && (parts.length < 4 || Number(parts[3]) > 0.5)) {
      const [r, g, b] = parts.map(Number);
      return 0.299 * r + 0.587 * g + 0.114 * b < 128;
    }
  }
  // Nothing behind has a colour of its own: in an output's frame the page around says which theme it has.
  const theme = document.documentElement.getAttribute("theme") || document.body.dataset.vscodeThemeKind;
  if (theme) return theme.includes("dark");
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Keeps root's data-theme equal to the page's, whichever program shows it; returns how to stop. */
function followTheme(root) {
  const look = () => {
    if (root.isConnected) root.dataset.theme = isDarkBehind(root) ? "dark" : "light";
  };
  const watcher = new MutationObserver(look);
  for (const node of [document.documentElement, document.body])
    watcher.observe(node, { attributes: true, attributeFilter: ["class", "style", "theme", "data-jp-theme-light"] });
  const query = matchMedia("(prefers-color-scheme: dark)");
  query.addEventListener("change", look);
  // Style sheets of a new theme arrive after the attribute has changed.
  const timer = setInterval(look, 1000);
  requestAnimationFrame(look);
  return () => {
    watcher.disconnect();
    query.removeEventListener("change", look);
    clearInterval(timer);
  };
}

/**
 * The still picture that is saved in the notebook is for readers without the live widget: it is hidden once Python has
 * answered, for a page may show a widget whose kernel is gone. Returns how to show it again.
 */
function hideStill(model) {
  const style = h("style", {}, `.${model.get("still")} { display: none }`);
  const heard = () => {
    document.head.append(style);
    model.off("msg:custom", heard);
  };
  model.on("msg:custom", heard);
  return () => {
    model.off("msg:custom", heard);
    style.remove();
  };
}

/** A picture file made small enough to travel, as a PNG data URL; null if the browser cannot read it. */
async function smallPicture(file, side) {
  try {
    const picture = await createImageBitmap(file);
    const scale = Math.min(1, side / Math.max(picture.width, picture.height));
    const canvas = h("canvas");
    canvas.width = Math.max(1, Math.round(picture.width * scale));
    canvas.height = Math.max(1, Math.round(picture.height * scale));
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL();
  } catch {
    return null;
  }
}

/** Keys pressed inside belong to the widget, not to the notebook around it. */
function keepKeys(root) {
  root.setAttribute("data-lm-suppress-shortcuts", "true");
  root.addEventListener("keydown", (event) => event.stopPropagation());
}

/** A trait's listener, taken off again when the view goes. */
function listen(model, signals, event, handler) {
  model.on(event, handler);
  signals.push(() => model.off(event, handler));
}

/** A function that draws at the browser's next frame, once however often it is called before. */
function onceAFrame(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
}

/** A file as a data URL. */
function readFile(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

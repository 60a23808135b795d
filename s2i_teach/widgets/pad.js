// The sketch pad itself, as SketchPad and Studio both hold it.

const CURVE = 6; // straight pieces to a curve, as in drawing.py
const NEAR = 1.5; // units; a point nearer to the last one is left out
const MOST_BYTES = 7_000_000; // of a file that the browser cannot make smaller; servers end a connection at 10 MB
const MOST_PIXELS = 1024;
const MASKING = ["mask", "unmask"]; // tools that mark a part, and leave no ink
const MASK_COLOUR = "#b3008f";
const PALM = 5000; // ms after the pen in which fingers do not draw
const KEY_STEP = 8;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** A stroke as a smooth line in straight pieces [x, y, width]; the same as drawing.py's flatten. */
function flatten(points, size) {
  const noted = points.map(([x, y, pressure]) => [x, y, size * (0.5 + pressure)]);
  if (noted.length < 3) return noted;
  const line = [noted[0]];
  for (let i = 1; i < noted.length - 1; i++) {
    const start = line[line.length - 1];
    const [here, after] = [noted[i], noted[i + 1]];
    const end = here.map((value, k) => (value + after[k]) / 2);
    for (let piece = 1; piece <= CURVE; piece++) {
      const t = piece / CURVE;
      line.push(start.map((a, k) => (1 - t) ** 2 * a + 2 * t * (1 - t) * here[k] + t ** 2 * end[k]));
    }
  }
  line.push(noted[noted.length - 1]);
  return line;
}

/** The operations still to be seen: those done, after the last clearing. */
function visibleOps(drawing) {
  const kept = drawing.ops.slice(0, drawing.done);
  return kept.slice(kept.map((op) => op.tool).lastIndexOf("clear") + 1);
}

/**
 * Makes the pad.
 *
 * options: drawing, sketches (names of the gallery), words (from makeWords), onDraw(drawing, final), ask(request) for what
 * only Python can do: {do: "sketch", name, how} and {do: "file", name, data, how}; how is "draw" or "trace". With masking there
 * are two more tools, which mark a part of the page.
 * Returns {element, canvas, set(drawing), trace(url), say(sentence), complain(sentence), kept({said, wrong})}.
 */
function makePad({ drawing, sketches, words, onDraw, ask, masking = false }) {
  let tool = "brush";
  let size = masking ? 40 : 10;
  let stroke = null; // the one being drawn
  let tip = null; // where its pen is now
  let pointer = null; // its pointer's id, or "keyboard"
  let finger = false; // whether that is a finger
  let penSeen = -Infinity; // when a pen last drew
  let cursor = null; // [x, y] of the keyboard's pen
  let traced = null;
  let telling = null;
  const pictures = new Map(); // data URL → Image

  const canvas = h("canvas", {
    class: "s2i-paper",
    tabindex: "0",
    role: "application",
    "aria-label": words("paper"),
    width: drawing.width,
    height: drawing.height,
  });
  const paint = canvas.getContext("2d");
  const settled = h("canvas"); // the ink of finished strokes
  const ink = h("canvas"); // with the stroke that is being drawn
  const marked = h("canvas"); // the mask of finished strokes
  const mark = h("canvas"); // with the stroke that is being drawn
  const keys = words("keys") + (masking ? " " + words("mask_keys") : "");
  const status = h("p", { class: "s2i-status", role: "status" }, keys);
  const failure = h("p", { class: "s2i-error", role: "alert", hidden: true });
  const keptLine = h("p", { class: "s2i-kept", role: "status", hidden: true });

  // Painting

  function scaleInk() {
    const most = 1536 / Math.max(drawing.width, drawing.height);
    const sharp = Math.min(most, Math.max(1, Math.min(3, window.devicePixelRatio || 1)));
    for (const each of [canvas, settled, ink, marked, mark]) {
      each.width = Math.round(drawing.width * sharp);
      each.height = Math.round(drawing.height * sharp);
    }
    canvas.style.aspectRatio = `${drawing.width} / ${drawing.height}`;
  }

  function paintStroke(context, op) {
    const scale = settled.width / drawing.width;
    const line = flatten(op.points, op.size);
    context.save();
    context.scale(scale, scale);
    context.globalCompositeOperation = op.tool === "eraser" || op.tool === "unmask" ? "destination-out" : "source-over";
    if (op.tool === "mask") context.fillStyle = MASK_COLOUR;
    // Dots and the quadrilaterals between them, as drawing.py paints them, filled as one so that edges do not add up.
    context.beginPath();
    line.forEach(([x, y, width], i) => {
      context.moveTo(x + width / 2, y);
      context.arc(x, y, width / 2, 0, 2 * Math.PI, true);
      if (i === 0) return;
      const [fromX, fromY, fromWidth] = line[i - 1];
      const length = Math.hypot(x - fromX, y - fromY);
      if (length === 0) return;
      const [acrossX, acrossY] = [(fromY - y) / length / 2, (x - fromX) / length / 2];
      context.moveTo(fromX + acrossX * fromWidth, fromY + acrossY * fromWidth);
      context.lineTo(x + acrossX * width, y + acrossY * width);
      context.lineTo(x - acrossX * width, y - acrossY * width);
      context.lineTo(fromX - acrossX * fromWidth, fromY - acrossY * fromWidth);
      context.closePath();
    });
    context.fill();
    context.restore();
  }

  function pictureOf(url) {
    if (!pictures.has(url)) {
      const picture = new Image();
      picture.onload = redraw;
      picture.src = url;
      pictures.set(url, picture);
    }
    return pictures.get(url);
  }

  function redraw() {
    const context = settled.getContext("2d");
    const part = marked.getContext("2d");
    context.clearRect(0, 0, settled.width, settled.height);
    part.clearRect(0, 0, marked.width, marked.height);
    for (const op of visibleOps(drawing)) {
      if (op.tool === "picture") {
        const picture = pictureOf(op.png);
        if (picture.complete && picture.naturalWidth) context.drawImage(picture, 0, 0, settled.width, settled.height);
      } else paintStroke(MASKING.includes(op.tool) ? part : context, op);
    }
    show();
  }

  const show = onceAFrame(() => {
    const marking = stroke && MASKING.includes(stroke.tool);
    for (const [layer, finished, grows] of [[ink, settled, stroke && !marking], [mark, marked, marking]]) {
      const context = layer.getContext("2d");
      context.clearRect(0, 0, layer.width, layer.height);
      context.drawImage(finished, 0, 0);
      if (grows) paintStroke(context, stroke);
    }
    paint.globalCompositeOperation = "source-over";
    paint.fillStyle = "white";
    paint.fillRect(0, 0, canvas.width, canvas.height);
    if (traced && traced.complete && traced.naturalWidth) {
      paint.globalAlpha = Number(opacity.value) / 100;
      paint.drawImage(traced, 0, 0, canvas.width, canvas.height);
      paint.globalAlpha = 1;
    }
    paint.globalCompositeOperation = "multiply"; // so that white paper of a loaded picture lets the trace through
    paint.drawImage(ink, 0, 0);
    paint.globalCompositeOperation = "source-over";
    paint.globalAlpha = 0.45;
    paint.drawImage(mark, 0, 0);
    paint.globalAlpha = 1;
    if (cursor) paintCursor();
  });

  function paintCursor() {
    const scale = canvas.width / drawing.width;
    const [x, y] = cursor.map((value) => value * scale);
    paint.globalCompositeOperation = "source-over";
    for (const [width, colour] of [[5, "white"], [2, stroke ? "#b3261e" : "#0b57d0"]]) {
      paint.lineWidth = width * scale;
      paint.strokeStyle = colour;
      paint.beginPath();
      paint.arc(x, y, Math.max(7, size / 2 + 3) * scale, 0, 7);
      paint.moveTo(x - 3 * scale, y);
      paint.lineTo(x + 3 * scale, y);
      paint.moveTo(x, y - 3 * scale);
      paint.lineTo(x, y + 3 * scale);
      paint.stroke();
    }
  }

  // Changing

  function change(next, final = true) {
    complain("");
    if (status.textContent === words("cleared")) say(keys);
    drawing = next;
    redraw();
    buttons();
    onDraw(drawing, final);
  }

  function then(op) {
    change({ ...drawing, ops: [...drawing.ops.slice(0, drawing.done), op], done: drawing.done + 1 });
  }

  const undo = () => drawing.done > 0 && change({ ...drawing, done: drawing.done - 1 });
  const redo = () => drawing.done < drawing.ops.length && change({ ...drawing, done: drawing.done + 1 });
  const clear = () => {
    if (visibleOps(drawing).length === 0) return;
    then({ tool: "clear" });
    say(words("cleared"));
  };

  function place(event) {
    const box = canvas.getBoundingClientRect();
    const round = (value) => Math.round(value * 10) / 10;
    const x = ((event.clientX - box.left) / box.width) * drawing.width;
    const y = ((event.clientY - box.top) / box.height) * drawing.height;
    // Only a pen knows how hard it is pressed; a finger's or a mouse's number is an invention of the browser.
    const pressure = event.pointerType === "pen" && event.pressure > 0 ? event.pressure : 0.5;
    return [round(x), round(y), Math.round(pressure * 100) / 100];
  }

  function begin(point, by, erasing) {
    pointer = by;
    tip = point;
    const rubber = MASKING.includes(tool) ? "unmask" : "eraser";
    stroke = { tool: erasing ? rubber : tool, size, points: [point] };
    show();
  }

  function extend(point) {
    tip = point;
    const last = stroke.points[stroke.points.length - 1];
    if (Math.hypot(point[0] - last[0], point[1] - last[1]) < NEAR) return;
    stroke.points.push(point);
    show();
    const soFar = { ...stroke, points: [...stroke.points] };
    onDraw({ ...drawing, ops: [...drawing.ops.slice(0, drawing.done), soFar], done: drawing.done + 1 }, false);
  }

  function end() {
    const op = stroke;
    stroke = pointer = null;
    if (!op) return;
    const last = op.points[op.points.length - 1];
    then(last[0] === tip[0] && last[1] === tip[1] ? op : { ...op, points: [...op.points, tip] });
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 && event.button !== 5) return;
    const pen = event.pointerType === "pen";
    const touch = event.pointerType === "touch";
    // A palm lands before or beside the pen: the pen takes over from it, and fingers wait a while.
    if (pen && finger) stroke = pointer = null;
    if (pointer !== null && pointer !== "keyboard") return;
    if (touch && event.timeStamp - penSeen < PALM) return;
    event.preventDefault();
    end();
    finger = touch;
    if (pen) penSeen = event.timeStamp;
    canvas.focus({ preventScroll: true });
    cursor = null;
    canvas.setPointerCapture(event.pointerId);
    begin(place(event), event.pointerId, event.button === 5); // 5: the pen's own eraser
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const all = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const each of all.length ? all : [event]) extend(place(each));
  });
  for (const name of ["pointerup", "lostpointercapture"])
    canvas.addEventListener(name, (event) => {
      if (event.pointerId !== pointer) return;
      if (event.pointerType === "pen") penSeen = event.timeStamp;
      end();
    });
  canvas.addEventListener("pointercancel", (event) => {
    if (event.pointerId !== pointer) return;
    if (finger) stroke = null; // the system took the finger for a palm or a gesture
    end();
    pointer = null;
    redraw();
  });

  canvas.addEventListener("keydown", (event) => {
    const command = event.ctrlKey || event.metaKey;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (command && key === "z") event.shiftKey ? redo() : undo();
    else if (command && key === "y") redo();
    else if (command || event.altKey) return;
    else if (KEYS[key]) move(KEYS[key], event.shiftKey ? 1 : KEY_STEP);
    else if (key === " " || key === "Enter") toggleKeyboardPen();
    else if (key === "Escape" && (stroke || cursor)) liftKeyboardPen();
    else if (key === "b") pick("brush");
    else if (key === "e") pick("eraser");
    else if (masking && key === "m") pick("mask");
    else if (masking && key === "k") pick("unmask");
    else if (key === "[" || key === "]") {
      width.value = String(size + (key === "]" ? 2 : -2));
      width.dispatchEvent(new Event("input"));
    } else return;
    event.preventDefault();
  });
  canvas.addEventListener("blur", () => {
    if (pointer === "keyboard") end();
    cursor = null;
    show();
  });

  function move([dx, dy], step) {
    cursor = cursor || [drawing.width / 2, drawing.height / 2];
    cursor = [
      Math.min(drawing.width, Math.max(0, cursor[0] + dx * step)),
      Math.min(drawing.height, Math.max(0, cursor[1] + dy * step)),
    ];
    if (stroke) extend([...cursor, 0.5]);
    tellPen();
    show();
  }

  function toggleKeyboardPen() {
    cursor = cursor || [drawing.width / 2, drawing.height / 2];
    if (stroke) end();
    else begin([...cursor, 0.5], "keyboard", false);
    tellPen();
    show();
  }

  function liftKeyboardPen() {
    end();
    cursor = null;
    clearTimeout(telling);
    say(keys);
    show();
  }

  function tellPen() {
    const [x, y] = cursor.map(Math.round);
    clearTimeout(telling); // said when the pen rests, or a screen reader would never come to an end
    telling = setTimeout(() => say(stroke ? words("pen_down", { x, y }) : words("pen_up", { x, y })), 400);
  }

  // The tools

  function pick(name) {
    tool = name;
    for (const [each, button] of Object.entries(tools)) button.setAttribute("aria-pressed", String(each === tool));
  }

  function buttons() {
    const dim = (button, off) => button.setAttribute("aria-disabled", String(off)); // stays focusable
    dim(undoButton, drawing.done === 0);
    dim(redoButton, drawing.done === drawing.ops.length);
    dim(clearButton, visibleOps(drawing).length === 0);
  }

  const say = (sentence) => {
    status.textContent = sentence;
  };
  function complain(sentence) {
    failure.textContent = sentence;
    failure.hidden = !sentence;
  }

  function kept({ said, wrong }) {
    keptLine.textContent = said || "";
    keptLine.hidden = !said;
    keptLine.classList.toggle("s2i-error", Boolean(wrong));
  }

  const tools = {
    brush: iconButton("brush", words("brush"), () => pick("brush"), "B"),
    eraser: iconButton("eraser", words("eraser"), () => pick("eraser"), "E"),
  };
  if (masking) {
    tools.mask = iconButton("mask", words("mask_brush"), () => pick("mask"), "M");
    tools.unmask = iconButton("unmask", words("mask_eraser"), () => pick("unmask"), "K");
  }
  const undoButton = iconButton("undo", words("undo"), undo, words("ctrl") + "+Z");
  const redoButton = iconButton("redo", words("redo"), redo, words("ctrl") + "+Y");
  const clearButton = iconButton("page", words("clear"), clear);
  const widthValue = h("output", {}, String(size));
  const width = h("input", {
    type: "range",
    min: "2",
    max: "60",
    step: "2",
    value: String(size),
    oninput: () => {
      size = Number(width.value);
      widthValue.textContent = width.value;
    },
  });

  const how = h("select", {}, h("option", { value: "draw" }, words("to_draw")), h("option", { value: "trace" }, words("to_trace")));
  const picker = h(
    "select",
    {
      onchange: () => {
        if (picker.value) ask({ do: "sketch", name: picker.value, how: how.value });
        picker.value = "";
      },
    },
    h("option", { value: "" }, words("choose_sketch")),
    sketches.map((name) => h("option", { value: name }, name)),
  );
  const chooser = h("input", { type: "file", accept: "image/*,.json,.svg", class: "s2i-file", "aria-label": words("file") });
  chooser.addEventListener("change", async () => {
    const file = chooser.files[0];
    if (!file) return;
    try {
      const strokes = /\.(json|svg)$/i.test(file.name);
      const small = strokes ? null : await smallPicture(file, MOST_PIXELS);
      if (small === null && file.size > MOST_BYTES) complain(words("file_too_large", { name: file.name }));
      else ask({ do: "file", name: file.name, data: small || (await readFile(file)), how: how.value });
    } catch {
      complain(words("file_unreadable", { name: file.name }));
    }
    chooser.value = "";
  });
  const opacity = h("input", { type: "range", min: "5", max: "80", step: "5", value: "25", oninput: show });
  const traceTools = h(
    "span",
    { class: "s2i-tools", hidden: true },
    h("label", {}, words("trace_opacity"), opacity),
    h(
      "button",
      {
        type: "button",
        onclick: () => {
          picker.focus(); // this button goes
          ask({ do: "untrace" });
        },
      },
      words("untrace"),
    ),
  );

  function trace(url) {
    traced = url ? pictureOf(url) : null;
    if (traced && !traced.complete) traced.onload = show;
    traceTools.hidden = !url;
    show();
  }

  const element = h(
    "div",
    { class: "s2i-pad" },
    h(
      "div",
      { class: "s2i-tools", role: "group", "aria-label": words("tools") },
      ...Object.values(tools),
      h("label", {}, words("width"), width, widthValue),
      undoButton,
      redoButton,
      clearButton,
    ),
    canvas,
    status,
    failure,
    keptLine,
    h(
      "details",
      { class: "s2i-more" },
      h("summary", {}, words("pictures")),
      h(
        "div",
        { class: "s2i-tools" },
        h("label", {}, words("from_gallery"), picker),
        h("label", {}, words("how"), how),
        h("label", {}, words("from_file"), chooser),
        traceTools,
      ),
    ),
  );

  function set(next) {
    if (next.width !== drawing.width || next.height !== drawing.height) {
      drawing = next;
      scaleInk();
    }
    drawing = next;
    redraw();
    buttons();
  }

  scaleInk();
  pick(masking ? "mask" : "brush");
  set(drawing);
  return { element, canvas, set, trace, say, complain, kept };
}

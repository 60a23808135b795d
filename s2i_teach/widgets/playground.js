// A diffusion in the plane: Playground in playground.py, which computes all that is seen; here it is only drawn.

const SECONDS = 3; // of a film
const FIRST_PATHS = [20, 95, 170, 245]; // points that are followed from the beginning
const MOST_PATHS = 12;
const COLOURS = ["page", "data", "points", "path", "guess", "arrows", "library"]; // of the style sheet

export default {
  render({ model, el }) {
    const words = makeWords(model.get("words"));
    const { shapes, samplers, span, grid, most_steps } = model.get("choices");
    const cleanups = [];
    let settings = { ...model.get("settings") };
    let film = null;
    let frame = 0;
    let playing = null; // the animation's handle
    let followed = new Set(FIRST_PATHS);
    let drawing = model.get("drawing");

    // Questions to Python: one at a time, the latest wins, answers to older ones are dropped.

    const view = Math.random().toString(36).slice(2);
    let version = 0;
    let busy = false;
    let wanted = null;
    let thenPlay = false;

    function ask(request = {}) {
      version += 1;
      wanted = { do: "film", ...request, settings, version: `${view} ${version}` };
      if (settings.shape === "drawing") wanted.drawing = drawing;
      pump();
    }

    function pump() {
      root.setAttribute("aria-busy", String(busy || wanted !== null));
      if (busy || !wanted) return;
      busy = true;
      model.send(wanted);
      wanted = null;
    }

    function answered(message) {
      if (message.failure !== undefined) return pad.complain(message.failure);
      if (typeof message.version !== "string" || !message.version.startsWith(`${view} `)) return;
      const newest = message.version === `${view} ${version}`;
      if (message.training !== undefined) {
        if (newest) progress(message);
        return;
      }
      busy = false;
      if (newest) {
        training.hidden = true;
        trainButton.disabled = false;
        if (message.refused !== undefined) {
          thenPlay = false;
          complain(message.refused);
        } else take(message.film);
      }
      pump();
    }

    // What the page holds

    const button = iconButton("play", words("play"), () => (playing ? stop() : play()));
    const slider = h("input", {
      type: "range",
      class: "s2i-time",
      min: "0",
      max: "1",
      step: "1",
      value: "0",
      "aria-label": words("time"),
      oninput: () => {
        stop();
        go(settings.direction === "forward" ? Number(slider.value) : last() - Number(slider.value));
      },
    });
    const where = h("p", { class: "s2i-where" });
    const canvases = h("div", { class: "s2i-panels" });
    const legend = h("ul", { class: "s2i-legend", "aria-label": words("legend") });
    const said = h("div", { class: "s2i-said", role: "status" });
    const failure = h("p", { class: "s2i-error", role: "alert", hidden: true });
    const training = h("span", { class: "s2i-training", hidden: true });
    const trainingBar = h("progress", { max: 1, value: 0, "aria-label": words("train") });
    const trainingWords = h("span", {});
    training.append(trainingBar, trainingWords);

    function choose(name, options, change = {}) {
      const select = h(
        "select",
        { onchange: () => set({ ...change, [name]: select.value }) },
        options.map(([value, label]) => h("option", { value, selected: value === settings[name] }, label)),
      );
      return select;
    }
    const names = {
      heart: words("shape_heart"),
      moons: words("shape_moons"),
      spiral: words("shape_spiral"),
      ring: words("shape_ring"),
      spots: words("shape_spots"),
      own: words("shape_own"),
      drawing: words("shape_drawing"),
    };
    const denoisers = { ideal: words("ideal"), network: words("network"), both: words("both") };
    const shape = choose("shape", shapes.map((name) => [name, names[name]]));
    const sampler = choose("sampler", Object.entries(samplers), { direction: "backward" });
    const denoiser = choose("denoiser", Object.entries(denoisers));
    const trainButton = h("button", { type: "button", onclick: train }, words("train"));
    const stepsValue = h("output", {}, String(settings.steps));
    const steps = h("input", {
      type: "range",
      class: "s2i-steps",
      min: "1",
      max: String(most_steps),
      value: String(settings.steps),
      oninput: () => {
        stepsValue.textContent = steps.value;
        set({ direction: "backward", steps: Number(steps.value) });
      },
    });
    const directions = [
      ["forward", words("forward")],
      ["backward", words("backward")],
    ].map(([value, label]) =>
      h("button", { type: "button", "data-direction": value, onclick: () => settings.direction !== value && turn(value) }, label),
    );
    function tick(label, name) {
      const box = h("input", { type: "checkbox", checked: Boolean(settings[name]), onchange: () => set({ [name]: box.checked }) });
      return [box, h("label", {}, box, label)];
    }
    const [fieldBox, fieldLabel] = tick(words("field"), "field");
    const [guessBox, guessLabel] = tick(words("guess"), "guess");
    const pathsBox = h("input", { type: "checkbox", checked: true, onchange: show });
    const anotherPath = h("button", { type: "button", onclick: followAnother }, words("another_path"));
    const newNoise = iconButton("die", words("new_noise"), () => set({ seed: settings.seed + 1 }));

    const pad = makePad({
      drawing,
      sketches: model.get("sketches"),
      words,
      onDraw: (next, final) => {
        if (!final) return;
        drawing = next;
        model.set("drawing", next);
        model.save_changes();
        shape.value = "drawing";
        set({ shape: "drawing" });
      },
      ask: (request) => model.send(request),
    });

    const root = h(
      "section",
      { class: "s2i s2i-playground", "aria-label": words("playground"), lang: words("code") },
      h(
        "div",
        { class: "s2i-columns" },
        h(
          "div",
          { class: "s2i-side" },
          h("label", { class: "s2i-tools" }, words("the_data"), shape),
          h("p", {}, words("draw_data")),
          pad.element,
        ),
        h(
          "div",
          { class: "s2i-main" },
          canvases,
          legend,
          h(
            "div",
            { class: "s2i-tools s2i-transport" },
            button,
            h("span", { class: "s2i-pair", role: "group", "aria-label": words("direction") }, directions),
            newNoise,
            h("span", { class: "s2i-line" }, h("span", {}, words("data_end")), slider, h("span", {}, words("noise_end"))),
          ),
          where,
          h(
            "div",
            { class: "s2i-tools" },
            h("label", {}, words("sampler"), sampler),
            h("label", {}, words("number_of_steps"), steps, stepsValue),
          ),
          h("div", { class: "s2i-tools" }, h("label", {}, words("denoiser"), denoiser), trainButton, training),
          h(
            "div",
            { class: "s2i-tools" },
            h("label", {}, pathsBox, words("paths")),
            anotherPath,
            h("span", { class: "s2i-soft" }, words("click_hint")),
          ),
          h("div", { class: "s2i-tools" }, fieldLabel, guessLabel),
          failure,
          said,
        ),
      ),
    );

    // Changing

    function set(change) {
      settings = { ...settings, ...change };
      controls();
      ask();
    }

    function turn(direction, andPlay = false) {
      stop();
      thenPlay = andPlay;
      frame = 0;
      set({ direction });
    }

    function train() {
      stop();
      trainButton.disabled = true;
      progress({ training: 0, loss: null });
      ask({ do: "train" });
    }

    function progress({ training: share, loss }) {
      training.hidden = false;
      trainingBar.value = share;
      trainingWords.textContent = words("training", { percent: Math.round(100 * share), loss: loss === null ? "…" : loss.toFixed(3) });
    }

    function complain(sentence) {
      failure.textContent = sentence;
      failure.hidden = !sentence;
    }

    function controls() {
      directions.forEach((each) => each.setAttribute("aria-pressed", String(each.dataset.direction === settings.direction)));
      shape.value = settings.shape;
      sampler.value = settings.sampler;
      denoiser.value = settings.denoiser;
      fieldBox.checked = settings.field;
      guessBox.checked = settings.guess;
    }

    function take(next) {
      const atEnd = film && frame === last();
      const sameWay = film && film.settings.direction === next.settings.direction;
      const share = film && sameWay ? frame / Math.max(1, last()) : 0;
      film = next;
      settings = { ...next.settings };
      for (const option of denoiser.options) option.disabled = option.value !== "ideal" && !film.trained;
      controls();
      slider.max = String(last());
      frame = atEnd && sameWay ? last() : Math.round(share * last());
      const sentences = [...film.said, film.trained].filter(Boolean);
      said.replaceChildren(
        ...film.wrong.map((sentence) => h("p", { class: "s2i-error" }, sentence)),
        ...sentences.map((sentence) => h("p", {}, sentence)),
      );
      complain(film.alert);
      panels();
      show();
      if (thenPlay) play();
      thenPlay = false;
    }

    // Playing

    const last = () => (film ? film.t.length - 1 : 0);

    function play() {
      if (!film) return;
      if (frame >= last()) frame = 0;
      const from = frame;
      let started = null;
      const tickOn = (now) => {
        if (!root.isConnected) return stop();
        if (started === null) started = now;
        const at = from + Math.floor(((now - started) / 1000 / SECONDS) * last());
        if (at !== frame) go(Math.min(at, last()));
        if (frame < last()) playing = requestAnimationFrame(tickOn);
        else if (settings.direction === "forward") playing = setTimeout(() => turn("backward", true), 600);
        else stop();
      };
      go(frame);
      playing = requestAnimationFrame(tickOn);
      playLook();
    }

    function stop() {
      cancelAnimationFrame(playing);
      clearTimeout(playing);
      playing = null;
      playLook();
    }

    function playLook() {
      const name = playing ? words("pause") : words("play");
      if (button.title === name) return;
      button.setAttribute("aria-label", name);
      button.title = name;
      button.replaceChildren(icon(playing ? "pause" : "play"));
    }

    function go(to) {
      frame = to;
      show();
    }

    // Drawing

    let drawn = []; // {canvas, panel} of each panel

    function panels() {
      if (drawn.length !== film.panels.length || drawn.some(({ panel }, i) => panel.denoiser !== film.panels[i].denoiser)) {
        const several = film.panels.length > 1;
        drawn = film.panels.map((panel) => {
          const canvas = h("canvas", { class: "s2i-plane", role: "img", onclick: (event) => follow(event, canvas) });
          return { canvas, title: several && h("figcaption", {}, words("panel", { denoiser: denoisers[panel.denoiser] })) };
        });
        canvases.replaceChildren(...drawn.map(({ canvas, title }) => h("figure", {}, title, canvas)));
      }
      drawn.forEach((each, i) => {
        each.panel = film.panels[i];
      });
    }

    const paintSoon = onceAFrame(() => {
      if (!film) return;
      drawn.forEach(paint);
      tell();
      legendNow();
    });
    function show() {
      paintSoon();
    }

    function tell() {
      slider.value = String(settings.direction === "forward" ? frame : last() - frame);
      const level = film.levels[frame];
      const spread = drawn.map(({ panel }) => (panel.spread[frame] === undefined ? "–" : panel.spread[frame].toFixed(2))).join(" / ");
      const values = { t: film.t[frame], signal: Math.sqrt(level).toFixed(2), noise: Math.sqrt(1 - level).toFixed(2), spread };
      where.textContent = level === 1 ? words("at_end", values) : words("at_time", values);
      slider.setAttribute("aria-valuetext", where.textContent);
    }

    function paint({ canvas, panel }) {
      const style = getComputedStyle(root);
      const colours = Object.fromEntries(COLOURS.map((name) => [name, style.getPropertyValue(`--${name}`)]));
      const sharp = Math.max(1, Math.min(3, window.devicePixelRatio || 1));
      const side = Math.round((canvas.clientWidth || 400) * sharp);
      if (canvas.width !== side) canvas.width = canvas.height = side;
      const pen = canvas.getContext("2d");
      const unit = side / (2 * span);
      const x = (hundredths) => side / 2 + (hundredths / 100) * unit;
      const y = (hundredths) => side / 2 - (hundredths / 100) * unit;
      const size = (side / 440) * (drawn.length > 1 ? 1.25 : 1);
      pen.fillStyle = colours.page;
      pen.fillRect(0, 0, side, side);

      const each = (points, draw) => {
        for (let i = 0; i < points.length; i += 2) draw(x(points[i]), y(points[i + 1]), i / 2);
      };
      const discs = (points, radius, colour, alpha = 1) => {
        pen.globalAlpha = alpha;
        pen.fillStyle = colour;
        each(points, (px, py) => {
          pen.beginPath();
          pen.arc(px, py, radius, 0, 7);
          pen.fill();
        });
        pen.globalAlpha = 1;
      };

      discs(film.data, 1.6 * size, colours.data, 0.75);

      const arrows = panel.field[Math.min(Math.floor(frame / film.field_every), panel.field.length - 1)];
      if (arrows) {
        pen.strokeStyle = pen.fillStyle = colours.arrows;
        pen.lineWidth = 1.1 * size;
        for (let i = 0; i < arrows.length; i += 2) {
          const place = i / 2;
          const centre = (index) => 100 * span * ((2 * (index + 0.5)) / grid - 1);
          arrow(pen, x(centre(Math.floor(place / grid))), y(centre(place % grid)), (arrows[i] / 100) * unit, (-arrows[i + 1] / 100) * unit, size);
        }
      }

      const library = panel.library[frame];
      if (library) {
        pen.strokeStyle = colours.library;
        pen.lineWidth = 1.3 * size;
        each(library, (px, py) => {
          pen.beginPath();
          pen.arc(px, py, 3.2 * size, 0, 7);
          pen.stroke();
        });
      }

      const points = panel.points[frame];
      const guesses = panel.guess[frame];
      if (guesses) {
        pen.fillStyle = colours.guess;
        pen.globalAlpha = 0.8;
        each(guesses, (px, py) => {
          const r = 2.9 * size;
          pen.beginPath();
          pen.moveTo(px, py - r);
          pen.lineTo(px + r, py);
          pen.lineTo(px, py + r);
          pen.lineTo(px - r, py);
          pen.fill();
        });
        pen.globalAlpha = 1;
      }

      if (points) discs(points, 2.6 * size, colours.points, 0.85);

      if (pathsBox.checked && panel.points.length) {
        const until = Math.min(frame, panel.points.length - 1);
        for (const which of followed) {
          if (2 * which >= panel.points[0].length) continue;
          const at = (i) => [x(panel.points[i][2 * which]), y(panel.points[i][2 * which + 1])];
          pen.strokeStyle = pen.fillStyle = colours.path;
          pen.lineWidth = 1.8 * size;
          pen.beginPath();
          for (let i = 0; i <= until; i++) pen.lineTo(...at(i));
          pen.stroke();
          if (guesses && guesses.length > 2 * which && until === frame) {
            pen.setLineDash([3 * size, 3 * size]);
            pen.strokeStyle = colours.guess;
            pen.beginPath();
            pen.moveTo(...at(until));
            pen.lineTo(x(guesses[2 * which]), y(guesses[2 * which + 1]));
            pen.stroke();
            pen.setLineDash([]);
          }
          pen.beginPath();
          pen.arc(...at(until), 4.6 * size, 0, 7);
          pen.fill();
        }
      }

      const t = Math.max(0, film.t[frame]);
      const values = { n: points ? points.length / 2 : 0, t, spread: panel.spread[frame], denoiser: denoisers[panel.denoiser] };
      canvas.setAttribute("aria-label", points ? words("canvas", values) : words("canvas_empty"));
    }

    function arrow(pen, px, py, dx, dy, size) {
      const length = Math.hypot(dx, dy);
      if (length < 1) return;
      const [ux, uy] = [dx / length, dy / length];
      const head = Math.min(4 * size, 0.5 * length);
      const [ex, ey] = [px + dx, py + dy];
      pen.beginPath();
      pen.moveTo(px, py);
      pen.lineTo(ex - ux * head, ey - uy * head);
      pen.stroke();
      pen.beginPath();
      pen.moveTo(ex, ey);
      pen.lineTo(ex - ux * head - uy * head * 0.5, ey - uy * head + ux * head * 0.5);
      pen.lineTo(ex - ux * head + uy * head * 0.5, ey - uy * head - ux * head * 0.5);
      pen.fill();
    }

    function follow(event, canvas) {
      const { panel } = drawn.find((each) => each.canvas === canvas);
      const points = panel.points[frame];
      if (!points) return;
      const box = canvas.getBoundingClientRect();
      const px = (((event.clientX - box.left) / box.width) * 2 - 1) * span * 100;
      const py = (1 - ((event.clientY - box.top) / box.height) * 2) * span * 100;
      let [nearest, distance] = [0, Infinity];
      for (let i = 0; i < points.length; i += 2) {
        const away = Math.hypot(points[i] - px, points[i + 1] - py);
        if (away < distance) [nearest, distance] = [i / 2, away];
      }
      pathsBox.checked = true;
      if (followed.has(nearest)) followed.delete(nearest);
      else followed.add(nearest);
      trim();
    }

    function followAnother() {
      pathsBox.checked = true;
      const many = film && film.panels[0].points.length ? film.panels[0].points[0].length / 2 : 1;
      for (let tries = 0; tries < 20; tries++) {
        const one = Math.floor(Math.random() * many);
        if (!followed.has(one)) {
          followed.add(one);
          break;
        }
      }
      trim();
    }

    function trim() {
      while (followed.size > MOST_PATHS) followed.delete(followed.values().next().value);
      show();
    }

    let shownSigns = "";
    function legendNow() {
      const signs = [
        ["data", words("legend_data"), true],
        ["points", words("legend_points"), true],
        ["path", words("legend_path"), pathsBox.checked],
        ["guess", words("legend_guess"), settings.guess],
        ["field", words("legend_field"), settings.field],
        ["library", words("legend_library"), film && film.panels.some((panel) => panel.library.length)],
      ].filter(([, , seen]) => seen);
      if (signs.join() === shownSigns) return;
      shownSigns = signs.join();
      legend.replaceChildren(...signs.map(([name, label]) => h("li", { class: `s2i-sign-${name}` }, label)));
    }

    keepKeys(root);
    el.append(root);
    listen(model, cleanups, "msg:custom", answered);
    listen(model, cleanups, "change:drawing", () => {
      // A picture that Python laid on the page: what the hand draws is here already.
      if (JSON.stringify(model.get("drawing")) === JSON.stringify(drawing)) return;
      drawing = model.get("drawing");
      pad.set(drawing);
      set({ shape: "drawing" });
    });
    listen(model, cleanups, "change:trace", () => pad.trace(model.get("trace")));
    pad.trace(model.get("trace"));
    cleanups.push(followTheme(root));
    const themes = new MutationObserver(show);
    themes.observe(root, { attributes: true, attributeFilter: ["data-theme"] });
    const sizes = new ResizeObserver(show);
    sizes.observe(canvases);
    cleanups.push(() => themes.disconnect(), () => sizes.disconnect(), stop);
    cleanups.push(hideStill(model));
    controls();
    ask();
    return () => cleanups.forEach((each) => each());
  },
};

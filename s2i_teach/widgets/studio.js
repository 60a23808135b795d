// The studio: Studio in studio.py. It decides nothing that Python does not confirm: what the sliders say comes from there.

const TYPING = 600; // ms without a key until a prompt counts as finished
const DEAF = 5000; // ms without an answer after which a question is asked again: an interrupted kernel may have lost it
const UNSEEN = 40; // questions after which a request that never arrives is given up

/** What all views of one studio share, by its id. Versions count requests; only the leading view asks questions. */
const states = new Map();
function stateOf(model) {
  const id = model.get("still");
  const version = model.get("request").version || 0;
  if (!states.has(id))
    states.set(id, { version, sent: version, polling: false, dirty: null, ours: null, leader: null, heard: 0, unseen: 0 });
  return states.get(id);
}

export default {
  render({ model, el }) {
    const words = makeWords(model.get("words"));
    const options = model.get("options");
    const cleanups = [];

    // State

    const state = stateOf(model);
    const me = {};
    state.leader = me;
    let shown = 0; // version of what the picture shows
    let plans = null; // rows for plansKey
    let plansKey = "";
    let wanted = 0.75; // strength, as asked for
    let current = null; // the result on show
    let compared = null; // the one under the wipe
    const cards = new Map(); // number → elements of the history

    // Asking Python

    const modelOf = (name) => options.models.find((entry) => entry.name === name);
    const modelEntry = () => modelOf(modelSelect.value);
    const key = () =>
      JSON.stringify([activeModel, Number(steps.value), schedulerSelect.value, Number(guidance.value) > 1]);

    function changed(final) {
      state.leader = me;
      tellPlan();
      state.dirty = { final: final || (state.dirty !== null && state.dirty.final) };
      if (!state.polling || performance.now() - state.heard > DEAF) send();
    }

    function send() {
      if (state.dirty === null) return;
      if (state.dirty.final && !lock.checked && state.version > 0) seed.value = String(newSeed());
      state.version += 1;
      state.sent = state.version;
      state.unseen = 0;
      model.set("request", {
        version: state.version,
        final: state.dirty.final,
        model: activeModel,
        prompt: prompt.value,
        style: style.value,
        negative_prompt: negative.value,
        evaluations: Number(strength.value),
        steps: Number(steps.value),
        guidance: Number(guidance.value),
        seed: seed.value === "" ? null : Number(seed.value),
        filled: filled.checked,
        scheduler: schedulerSelect.value,
        ...(modelOf(activeModel).led
          ? {
              control_scale: Number(controlScale.value),
              control_start: Number(controlStart.value) / 100,
              control_end: Number(controlEnd.value) / 100,
            }
          : {}),
      });
      model.save_changes();
      state.dirty = null;
      busy(true);
      poll();
    }

    function poll() {
      state.polling = true;
      state.heard = performance.now();
      model.send({ do: "poll" });
    }

    /** Give Python the drawing; the pad has it already. */
    function put(drawing) {
      state.ours = me;
      model.set("drawing", drawing);
      state.ours = null;
    }

    const newSeed = () => Math.floor(Math.random() * 1_000_000);

    // What Python says

    function heard(message) {
      state.heard = performance.now();
      const old = message.version !== undefined && message.version < shown;
      if (message.plans) {
        plans = message.plans;
        plansKey = JSON.stringify(message.key);
        own.textContent = words("own_scheduler", { name: message.own });
        tellPlan();
      }
      if (message.entries) for (const entry of message.entries) showCard(entry);
      if (message.entry) showCard(message.entry);
      if (message.gone) removeCard(message.gone);
      if (message.controls) setControls(message.controls, message.drawing);
      if (message.compare) compareWith(message.compare);
      if (message.code) showCode(message.code);
      if (message.said) say(message.said);
      if (message.file) offer(message.file);
      if (message.polled) {
        if (state.leader === me) answered(message);
        if (!message.busy && !state.polling) busy(false);
      }
      if (message.nothing && state.leader === me) changed(true);
      if (old) return; // what is newer is shown already
      if (message.failure !== undefined) {
        if (message.version !== undefined) {
          shown = message.version;
          restore();
        }
        fail(message.failure);
      }
      if (message.loading) tell(words("loading", { name: message.loading }));
      if (message.preview) {
        picture.src = message.preview;
        picture.alt = words("preview");
        frame.dataset.state = "preview";
      }
      if (message.progress) {
        const [step, total] = message.progress;
        progress.max = total;
        progress.value = step;
        tell(words("progress", { step, total, left: message.left.toFixed(1) }));
      }
      if (message.stopped) {
        restore();
        say(current ? words("stopped") : words("stopped_nothing"));
      }
      if (message.empty) {
        shown = message.version;
        restore();
        say(words("empty"));
      }
      if (message.result) {
        shown = message.version;
        fail("");
        showPicture(message.result);
      }
    }

    /** The answer to this view's question: what was changed meanwhile, the next question, or rest. */
    function answered(message) {
      state.polling = false;
      state.unseen = message.seen < state.sent ? state.unseen + 1 : 0;
      if (state.dirty !== null) send();
      else if (message.busy || (state.unseen > 0 && state.unseen < UNSEEN)) poll();
      else if (frame.dataset.state === "result" && status.textContent === "") spoken.textContent = words("ready");
    }

    /** Away with a preview of what will not be finished. */
    function restore() {
      if (frame.dataset.state !== "preview") return;
      if (current) return showPicture(current);
      picture.removeAttribute("src");
      picture.alt = words("no_picture");
      frame.dataset.state = "nothing";
    }

    function showPicture(result) {
      current = result;
      picture.src = result.picture;
      picture.alt = result.about;
      frame.dataset.state = "result";
      frame.dataset.version = String(shown);
      frame.dataset.number = String(result.number || "");
      showHint(result.hint);
      const plan = result.plan;
      ran.textContent = words("ran", planWords(plan));
      say(result.notes.join(" "));
      for (const [number, card] of cards) card.classList.toggle("s2i-current", number === result.number);
      dim([saveButton, codeButton], result.number === undefined);
      wipe();
    }

    function planWords(plan) {
      return {
        strength: plan.strength.toFixed(2),
        start: Math.round(plan.start),
        left: Math.round(100 * plan.left),
        evaluations: plan.evaluations,
        seconds: plan.seconds === null ? "?" : plan.seconds < 10 ? plan.seconds.toFixed(1) : Math.round(plan.seconds),
      };
    }

    function tellPlan() {
      strength.max = steps.value;
      if (document.activeElement !== strength || Number(strength.value) > Number(steps.value))
        strength.value = String(Math.max(1, Math.min(Number(steps.value), Math.round(wanted * Number(steps.value)))));
      stepsValue.textContent = steps.value;
      guidanceValue.textContent = Number(guidance.value).toFixed(1);
      controlScaleValue.textContent = Number(controlScale.value).toFixed(2);
      for (const [input, value] of [
        [controlStart, controlStartValue],
        [controlEnd, controlEndValue],
      ]) {
        value.textContent = `${input.value} %`;
        input.setAttribute("aria-valuetext", value.textContent);
      }
      const row = plans && plansKey === key() ? plans[Number(strength.value) - 1] : null;
      strengthValue.textContent = (Number(strength.value) / Number(steps.value)).toFixed(2);
      plan.textContent = row ? words("will_run", planWords(row)) : words("will_run_soon");
      strength.setAttribute("aria-valuetext", `${strengthValue.textContent}. ${plan.textContent}`);
    }

    const busy = (on) => {
      frame.setAttribute("aria-busy", String(on));
      progress.classList.toggle("s2i-idle", !on);
      dim([stopButton], !on);
      if (on) spoken.textContent = "";
      else {
        progress.value = 0;
        tell("");
      }
    };
    /** Buttons that do nothing now, but keep the focus if they have it. */
    const dim = (buttons, off) => buttons.forEach((button) => button.setAttribute("aria-disabled", String(off)));
    const say = (sentence) => {
      status.textContent = sentence;
    };
    /** What changes at every step is shown, but not read aloud. */
    const tell = (sentence) => {
      telling.textContent = sentence;
    };
    const fail = (sentence) => {
      failure.textContent = sentence;
      failure.hidden = !sentence;
      if (sentence) say("");
    };

    // Controls

    function range(min, max, step, value, label, oninput) {
      const input = h("input", {
        type: "range",
        min: String(min),
        max: String(max),
        step: String(step),
        value: String(value),
        "aria-label": label,
        oninput: () => {
          if (oninput) oninput();
          changed(false);
        },
        onchange: () => changed(true),
      });
      return input;
    }

    let typing = null; // the timer of what is being typed
    function endTyping() {
      const was = typing !== null;
      clearTimeout(typing);
      typing = null;
      return was;
    }

    function typed(input) {
      input.addEventListener("input", () => {
        endTyping();
        typing = setTimeout(() => endTyping() && changed(true), TYPING);
      });
      input.addEventListener("change", () => endTyping() && changed(true));
      return input;
    }

    const prompt = typed(h("input", { type: "text", class: "s2i-prompt", value: options.prompt, maxlength: "500" }));
    const negative = typed(h("input", { type: "text", class: "s2i-prompt", maxlength: "500" }));
    const style = h("select", { onchange: () => changed(true) });
    const modelSelect = h(
      "select",
      {
        onchange: () => {
          const entry = modelEntry();
          // The arrow keys walk through the models: a large one is not loaded by walking over it.
          download.hidden = entry.download === 0;
          if (download.hidden) useModel();
          else downloadWords.textContent = words("needs_download", { name: entry.title, size: (entry.download / 1e9).toFixed(1) });
        },
      },
      options.models.map((entry) => h("option", { value: entry.name }, entry.title)),
    );
    const own = h("option", { value: "" }, words("own_scheduler", { name: "…" }));
    const schedulerSelect = h(
      "select",
      { onchange: () => changed(true) },
      own,
      options.schedulers.map((name) => h("option", { value: name }, name)),
    );
    const strength = range(1, 4, 1, 3, words("strength"), () => {
      wanted = Number(strength.value) / Number(steps.value);
    });
    const guidance = range(1, 12, 0.5, 4, words("guidance"));
    const steps = range(1, options.most_steps, 1, 4, words("steps"));
    const controlScale = range(0, 2, 0.05, 1, words("control_scale"));
    // The lines lead for a part of the run; neither end may pass the other.
    const controlStart = range(0, 95, 5, 0, words("control_start"), () => {
      if (Number(controlEnd.value) <= Number(controlStart.value)) controlEnd.value = String(Number(controlStart.value) + 5);
    });
    const controlEnd = range(5, 100, 5, 100, words("control_end"), () => {
      if (Number(controlStart.value) >= Number(controlEnd.value)) controlStart.value = String(Number(controlEnd.value) - 5);
    });
    const controlScaleValue = h("output", {});
    const controlStartValue = h("output", {});
    const controlEndValue = h("output", {});
    const strengthValue = h("output", {});
    const guidanceValue = h("output", {});
    const stepsValue = h("output", {});
    const plan = h("p", { class: "s2i-plan" });
    const seed = typed(h("input", { type: "number", min: "0", max: "9007199254740991", step: "1", value: "0" }));
    // Who types a seed wants that one.
    seed.addEventListener("input", () => (lock.checked = true));
    const die = iconButton("die", words("die"), () => {
      seed.value = String(newSeed());
      changed(true);
    });
    const lock = h("input", { type: "checkbox", checked: true });
    const filled = h("input", { type: "checkbox", checked: true, onchange: () => changed(true) });

    let activeModel = options.model;
    const downloadWords = h("span", {});
    const loadButton = h("button", { type: "button", onclick: () => useModel() }, words("load_it"));
    const download = h("p", { class: "s2i-tools", role: "status", hidden: true }, downloadWords, loadButton);

    function useModel() {
      activeModel = modelSelect.value;
      if (!download.hidden) modelSelect.focus(); // the button goes
      download.hidden = true;
      modelDefaults();
      changed(true);
    }

    function modelDefaults() {
      const entry = modelEntry();
      steps.value = String(entry.steps);
      guidance.value = String(entry.guidance);
      wanted = entry.strength;
      control.hidden = !entry.led;
      if (!entry.led) showHint(null);
      controlScale.value = String(entry.control_scale);
      controlStart.value = "0";
      controlEnd.value = "100";
      const before = style.value;
      style.replaceChildren(
        h("option", { value: "" }, words("no_style")),
        ...entry.styles.map((name) => h("option", { value: name }, name)),
      );
      style.value = entry.styles.includes(before) ? before : entry.styles[0];
    }

    function setControls(controls, drawing) {
      if (drawing) {
        put(drawing);
        pad.set(drawing);
        model.save_changes();
      }
      download.hidden = true;
      modelSelect.value = activeModel = controls.model;
      modelDefaults();
      prompt.value = controls.prompt;
      style.value = controls.style;
      negative.value = controls.negative_prompt;
      steps.value = String(controls.steps);
      wanted = controls.evaluations / controls.steps;
      strength.max = steps.value;
      strength.value = String(controls.evaluations);
      guidance.value = String(controls.guidance);
      seed.value = String(controls.seed);
      filled.checked = controls.filled;
      schedulerSelect.value = controls.scheduler;
      if (controls.control_scale !== undefined) {
        controlScale.value = String(controls.control_scale);
        controlStart.value = String(Math.round(100 * controls.control_start));
        controlEnd.value = String(Math.round(100 * controls.control_end));
      }
      tellPlan();
    }

    // The picture

    const picture = h("img", { class: "s2i-picture", alt: words("no_picture") });
    const under = h("img", { class: "s2i-picture s2i-under", alt: "", hidden: true });
    const frame = h("div", { class: "s2i-frame", "data-state": "nothing", "aria-busy": "false" }, picture, under);
    const hint = h("img", { class: "s2i-hint", alt: words("hint") });
    const hintBox = h("details", { class: "s2i-more", hidden: true }, h("summary", {}, words("show_hint")), hint);

    /** What leads the network, if it is led. */
    function showHint(url) {
      hintBox.hidden = !url;
      if (url) hint.src = url;
      else hint.removeAttribute("src");
    }

    const wiper = h("input", {
      type: "range",
      min: "0",
      max: "100",
      value: "50",
      class: "s2i-wide",
      "aria-label": words("wipe"),
      oninput: () => wipe(),
    });
    const endCompare = h(
      "button",
      {
        type: "button",
        onclick: () => {
          const card = cards.get(compared.number);
          (card ? card.querySelector(".s2i-compare") : prompt).focus(); // this button goes
          compareWith(null);
        },
      },
      words("end_compare"),
    );
    const wipeTools = h("div", { class: "s2i-tools", hidden: true }, h("label", {}, words("wipe"), wiper), endCompare);
    const comparison = h("p", { class: "s2i-status", hidden: true });

    function compareWith(result) {
      compared = result;
      wipeTools.hidden = comparison.hidden = under.hidden = !result;
      if (result) {
        under.src = result.picture;
        under.alt = result.about;
      }
      for (const [number, card] of cards)
        card.querySelector(".s2i-compare").setAttribute("aria-pressed", String(Boolean(result) && result.number === number));
      wipe();
    }

    function wipe() {
      if (!compared) return;
      // The compared picture lies on top and is cut off at the wipe: left of it one sees that one, right of it the current.
      under.style.clipPath = `inset(0 ${100 - Number(wiper.value)}% 0 0)`;
      const fair = { 0: words("differ_in_nothing"), 1: words("differ_in_one", { names: compared.differs[0] }) };
      const many = () => words("differ_in_many", { names: compared.differs.join(", ") });
      comparison.textContent = [
        words("comparing", { left: compared.about, right: current ? current.about : "" }),
        current && compared.with === current.number ? fair[compared.differs.length] || many() : "",
      ].join(" ");
    }

    const progress = h("progress", { max: 1, value: 0, class: "s2i-wide s2i-idle", "aria-label": words("progress_bar") });
    const enabled = (button) => button.getAttribute("aria-disabled") !== "true";
    const stopButton = h("button", { type: "button", "aria-disabled": "true", onclick: stop }, words("stop"));
    const telling = h("p", { class: "s2i-status" });
    const spoken = h("span", { class: "s2i-spoken", role: "status" });
    const status = h("p", { class: "s2i-status", role: "status" }, words("draw_or_choose"));
    const failure = h("p", { class: "s2i-error", role: "alert", hidden: true });
    const ran = h("p", { class: "s2i-status" });

    function stop() {
      if (!enabled(stopButton)) return;
      state.dirty = null;
      tell(words("stopping"));
      model.send({ do: "stop" });
    }

    const ask = (what) => (event) =>
      enabled(event.currentTarget) && model.send({ do: what, number: current && current.number });
    const saveButton = h("button", { type: "button", "aria-disabled": "true", onclick: ask("save") }, words("save"));
    const codeButton = h("button", { type: "button", "aria-disabled": "true", onclick: ask("code") }, words("show_code"));
    const sheetButton = h("button", { type: "button", onclick: ask("sheet") }, words("sheet"));
    const link = h("a", { hidden: true });
    const code = h("pre", { tabindex: "0", "aria-label": words("code_of_picture") });
    const codeBox = h("div", { class: "s2i-code", hidden: true }, code);
    const copy = h("button", { type: "button", onclick: copyCode }, words("copy"));
    const closeCode = h(
      "button",
      {
        type: "button",
        onclick: () => {
          codeButton.focus(); // this button goes
          codeBox.hidden = true;
        },
      },
      words("close"),
    );
    codeBox.append(h("div", { class: "s2i-tools" }, copy, closeCode));

    function showCode(text) {
      code.textContent = text;
      codeBox.hidden = false;
      code.focus();
    }

    async function copyCode() {
      try {
        await navigator.clipboard.writeText(code.textContent);
        say(words("copied"));
      } catch {
        // No permission for the clipboard: mark the text, so that the usual keys copy it.
        getSelection().selectAllChildren(code);
        say(words("copy_by_hand"));
      }
    }

    function offer(file) {
      link.href = file.data;
      link.download = file.name;
      link.textContent = words("download", { name: file.name });
      link.hidden = false;
    }

    // The history

    const strip = h("ol", { class: "s2i-strip" });
    const noHistory = h("p", { class: "s2i-status" }, words("no_history"));

    function showCard(entry) {
      noHistory.hidden = true;
      if (cards.has(entry.number)) {
        cards.get(entry.number).querySelector(".s2i-icon").setAttribute("aria-pressed", String(entry.kept));
        return;
      }
      const star = iconButton("star", words("keep"), () =>
        model.send({ do: "keep", number: entry.number, kept: star.getAttribute("aria-pressed") !== "true" }),
      );
      star.setAttribute("aria-pressed", String(entry.kept));
      const card = h(
        "li",
        {},
        h(
          "button",
          {
            type: "button",
            class: "s2i-back",
            title: entry.about,
            "aria-label": words("back_to", { about: entry.about }),
            onclick: () => goBack(entry.number),
          },
          h("img", { src: entry.thumb, alt: "" }),
        ),
        h("span", { class: "s2i-short", "aria-hidden": "true" }, entry.short),
        h(
          "span",
          { class: "s2i-tools" },
          star,
          h(
            "button",
            {
              type: "button",
              class: "s2i-compare",
              "aria-pressed": "false",
              "aria-label": words("compare_with", { about: entry.about }),
              onclick: () =>
                compared && compared.number === entry.number
                  ? compareWith(null)
                  : model.send({ do: "picture", number: entry.number }),
            },
            words("compare"),
          ),
        ),
      );
      strip.prepend(card);
      cards.set(entry.number, card);
    }

    /** To a picture of the history, with its settings and drawing; what is being made or typed is given up. */
    function goBack(number) {
      state.leader = me;
      state.version += 1;
      state.dirty = null;
      endTyping();
      model.send({ do: "back", number, version: state.version });
    }

    function removeCard(number) {
      const card = cards.get(number);
      if (card) card.remove();
      cards.delete(number);
    }

    // Put together

    const pad = makePad({
      drawing: model.get("drawing"),
      sketches: model.get("sketches"),
      words,
      onDraw: (drawing, final) => {
        if (!final && state.polling) return; // a growing stroke never waits in line
        put(drawing);
        changed(final);
      },
      ask: (request) => {
        if (request.do === "sketch" && request.how === "draw" && options.prompts[request.name])
          prompt.value = options.prompts[request.name];
        model.send(request);
      },
    });

    const slider = (label, input, value) => h("div", { class: "s2i-slider" }, h("span", { "aria-hidden": "true" }, label), input, value);
    const control = h(
      "div",
      { class: "s2i-control", role: "group", "aria-label": words("control"), hidden: true },
      slider(words("control_scale"), controlScale, controlScaleValue),
      slider(words("control_start"), controlStart, controlStartValue),
      slider(words("control_end"), controlEnd, controlEndValue),
    );
    const root = h(
      "section",
      { class: "s2i s2i-studio", "aria-label": words("studio"), lang: words("code") },
      h(
        "div",
        { class: "s2i-tools s2i-words" },
        h("label", { class: "s2i-grow" }, words("prompt"), prompt),
        h("label", {}, words("style"), style),
        h("label", {}, words("model"), modelSelect),
        download,
      ),
      h(
        "div",
        { class: "s2i-columns" },
        pad.element,
        h(
          "div",
          { class: "s2i-side" },
          frame,
          progress,
          h("div", { class: "s2i-tools" }, stopButton, saveButton, codeButton, sheetButton, link),
          telling,
          status,
          spoken,
          failure,
          ran,
          hintBox,
          wipeTools,
          comparison,
        ),
      ),
      h(
        "div",
        { class: "s2i-sliders", role: "group", "aria-label": words("settings") },
        slider(words("strength"), strength, strengthValue),
        plan,
        slider(words("guidance"), guidance, guidanceValue),
        slider(words("steps"), steps, stepsValue),
        control,
        h(
          "div",
          { class: "s2i-tools" },
          h("label", {}, words("seed"), seed),
          die,
          h("label", {}, lock, words("lock")),
          h("label", {}, filled, words("filled")),
        ),
      ),
      h(
        "details",
        { class: "s2i-more" },
        h("summary", {}, words("more")),
        h(
          "div",
          { class: "s2i-tools" },
          h("label", { class: "s2i-grow" }, words("negative"), negative),
          h("label", {}, words("scheduler"), schedulerSelect),
        ),
      ),
      codeBox,
      h("h3", { class: "s2i-heading" }, words("history")),
      noHistory,
      strip,
    );
    keepKeys(root);
    el.append(root);

    modelSelect.value = options.model;
    modelDefaults();
    strength.max = steps.value;
    tellPlan();
    listen(model, cleanups, "msg:custom", (message) => heard(message));
    listen(model, cleanups, "change:drawing", () => {
      if (state.ours === me) return;
      pad.set(model.get("drawing"));
      if (state.ours === null && state.leader === me) changed(true); // by Python
    });
    listen(model, cleanups, "change:request", () => state.leader !== me && setControls(model.get("request")));
    listen(model, cleanups, "change:trace", () => pad.trace(model.get("trace")));
    pad.trace(model.get("trace"));
    cleanups.push(followTheme(root));
    cleanups.push(hideStill(model), endTyping);
    // A page that opens anew goes on where the last one was; Python says if there is no picture yet.
    if (model.get("request").version) setControls(model.get("request"));
    state.polling = false;
    model.send({ do: "hello" });
    return () => cleanups.forEach((stop) => stop());
  },
};

// The studio: Studio in studio.py. It decides nothing that Python does not confirm: what the sliders say comes from there.

const TYPING = 600; // ms without a key until a prompt counts as finished

export default {
  render({ model, el }) {
    const words = makeWords(model.get("words"));
    const options = model.get("options");
    const cleanups = [];

    // State

    let version = model.get("request").version || 0; // of the newest request
    let shown = 0; // of what the picture shows
    let polling = false;
    let dirty = null; // {final} of a change that was not sent yet
    let plans = null; // rows for plansKey
    let plansKey = "";
    let ours = false; // the drawing is being set by this page itself
    let wanted = 0.75; // strength, as asked for
    let current = null; // the result on show
    let compared = null; // the one under the wipe
    const cards = new Map(); // number → elements of the history

    // Asking Python

    const modelEntry = () => options.models.find((entry) => entry.name === modelSelect.value);
    const key = () =>
      JSON.stringify([modelSelect.value, Number(steps.value), schedulerSelect.value, Number(guidance.value) > 1]);

    function changed(final) {
      tellPlan();
      dirty = { final: final || (dirty !== null && dirty.final) };
      if (!polling) send();
    }

    function send() {
      if (dirty === null) return;
      if (dirty.final && !lock.checked && version > 0) seed.value = String(newSeed());
      version += 1;
      model.set("request", {
        version,
        final: dirty.final,
        model: modelSelect.value,
        prompt: prompt.value,
        style: style.value,
        negative_prompt: negative.value,
        evaluations: Number(strength.value),
        steps: Number(steps.value),
        guidance: Number(guidance.value),
        seed: seed.value === "" ? null : Number(seed.value),
        filled: filled.checked,
        scheduler: schedulerSelect.value,
      });
      model.save_changes();
      frame.dataset.asked = String(version);
      dirty = null;
      busy(true);
      poll();
    }

    function poll() {
      polling = true;
      model.send({ do: "poll" });
    }

    /** Give Python the drawing; the pad has it already. */
    function put(drawing) {
      ours = true;
      model.set("drawing", drawing);
      ours = false;
    }

    const newSeed = () => Math.floor(Math.random() * 1_000_000);

    // What Python says

    function heard(message) {
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
        polling = false;
        if (dirty !== null) send();
        else if (message.busy) poll();
        else busy(false);
      }
      if (old) return; // what is newer is shown already
      if (message.failure !== undefined) {
        fail(message.failure);
        if (message.version !== undefined) shown = message.version;
      }
      if (message.loading) say(words("loading", { name: message.loading }));
      if (message.preview) {
        picture.src = message.preview;
        picture.alt = words("preview");
        frame.dataset.state = "preview";
      }
      if (message.progress) {
        const [step, total] = message.progress;
        progress.max = total;
        progress.value = step;
        say(words("progress", { step, total, left: message.left.toFixed(1) }));
      }
      if (message.stopped) {
        if (current) showPicture(current);
        say(words("stopped"));
      }
      if (message.empty) {
        shown = message.version;
        say(words("empty"));
      }
      if (message.result) {
        shown = message.version;
        fail("");
        showPicture(message.result);
      }
    }

    function showPicture(result) {
      current = result;
      picture.src = result.picture;
      picture.alt = result.about;
      frame.dataset.state = "result";
      frame.dataset.version = String(shown);
      const plan = result.plan;
      ran.textContent = words("ran", planWords(plan));
      say(result.notes.join(" "));
      for (const [number, card] of cards) card.classList.toggle("s2i-current", number === result.number);
      for (const button of [saveButton, codeButton]) button.disabled = result.number === undefined;
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
      const row = plans && plansKey === key() ? plans[Number(strength.value) - 1] : null;
      strengthValue.textContent = (Number(strength.value) / Number(steps.value)).toFixed(2);
      plan.textContent = row ? words("will_run", planWords(row)) : words("will_run_soon");
      strength.setAttribute("aria-valuetext", `${strengthValue.textContent}. ${plan.textContent}`);
    }

    const busy = (on) => {
      frame.setAttribute("aria-busy", String(on));
      progress.classList.toggle("s2i-idle", !on);
      stopButton.disabled = !on;
      if (!on) progress.value = 0;
    };
    const say = (sentence) => {
      status.textContent = sentence;
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

    function typed(input) {
      let timer = null;
      input.addEventListener("input", () => {
        clearTimeout(timer);
        timer = setTimeout(() => {
          timer = null;
          changed(true);
        }, TYPING);
      });
      input.addEventListener("change", () => {
        if (timer === null) return;
        clearTimeout(timer);
        timer = null;
        changed(true);
      });
      return input;
    }

    const prompt = typed(h("input", { type: "text", class: "s2i-prompt", value: options.prompt, maxlength: "500" }));
    const negative = typed(h("input", { type: "text", class: "s2i-prompt", maxlength: "500" }));
    const style = h("select", { onchange: () => changed(true) });
    const modelSelect = h(
      "select",
      {
        onchange: () => {
          modelDefaults();
          changed(true);
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
    const strengthValue = h("output", {});
    const guidanceValue = h("output", {});
    const stepsValue = h("output", {});
    const plan = h("p", { class: "s2i-plan" });
    const seed = typed(h("input", { type: "number", min: "0", max: "9007199254740991", step: "1", value: "0" }));
    const die = iconButton("die", words("die"), () => {
      seed.value = String(newSeed());
      changed(true);
    });
    const lock = h("input", { type: "checkbox", checked: true });
    const filled = h("input", { type: "checkbox", checked: true, onchange: () => changed(true) });

    function modelDefaults() {
      const entry = modelEntry();
      steps.value = String(entry.steps);
      guidance.value = String(entry.guidance);
      wanted = entry.strength;
      const before = style.value;
      style.replaceChildren(
        h("option", { value: "" }, words("no_style")),
        ...entry.styles.map((name) => h("option", { value: name }, name)),
      );
      style.value = entry.styles.includes(before) ? before : entry.styles[0];
    }

    function setControls(controls, drawing) {
      put(drawing);
      pad.set(drawing);
      model.save_changes();
      modelSelect.value = controls.model;
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
      tellPlan();
    }

    // The picture

    const picture = h("img", { class: "s2i-picture", alt: words("no_picture") });
    const under = h("img", { class: "s2i-picture s2i-under", alt: "", hidden: true });
    const frame = h("div", { class: "s2i-frame", "data-state": "nothing" }, picture, under);
    const wiper = h("input", {
      type: "range",
      min: "0",
      max: "100",
      value: "50",
      class: "s2i-wide",
      "aria-label": words("wipe"),
      oninput: () => wipe(),
    });
    const endCompare = h("button", { type: "button", onclick: () => compareWith(null) }, words("end_compare"));
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
      comparison.textContent = words("comparing", { left: compared.about, right: current ? current.about : "" });
    }

    const progress = h("progress", { max: 1, value: 0, class: "s2i-wide s2i-idle", "aria-label": words("progress_bar") });
    const stopButton = h("button", { type: "button", disabled: true, onclick: stop }, words("stop"));
    const status = h("p", { class: "s2i-status", role: "status" }, words("draw_or_choose"));
    const failure = h("p", { class: "s2i-error", role: "alert", hidden: true });
    const ran = h("p", { class: "s2i-status" });

    function stop() {
      dirty = null;
      model.send({ do: "stop" });
    }

    const ask = (what) => () => model.send({ do: what, number: current && current.number });
    const saveButton = h("button", { type: "button", disabled: true, onclick: ask("save") }, words("save"));
    const codeButton = h("button", { type: "button", disabled: true, onclick: ask("code") }, words("show_code"));
    const sheetButton = h("button", { type: "button", onclick: ask("sheet") }, words("sheet"));
    const link = h("a", { hidden: true });
    const code = h("pre", { tabindex: "0", "aria-label": words("code_of_picture") });
    const codeBox = h("div", { class: "s2i-code", hidden: true }, code);
    const copy = h("button", { type: "button", onclick: copyCode }, words("copy"));
    const closeCode = h("button", { type: "button", onclick: () => (codeBox.hidden = true) }, words("close"));
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
      const before = cards.get(entry.number);
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
            onclick: () => model.send({ do: "back", number: entry.number, version }),
          },
          h("img", { src: entry.thumb, alt: "" }),
        ),
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
      if (before) {
        card.className = before.className;
        before.replaceWith(card);
      } else strip.prepend(card);
      cards.set(entry.number, card);
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
        if (!final && polling) return; // a growing stroke never waits in line
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
    const root = h(
      "section",
      { class: "s2i s2i-studio", "aria-label": words("studio"), lang: words("code") },
      h(
        "div",
        { class: "s2i-tools s2i-words" },
        h("label", { class: "s2i-grow" }, words("prompt"), prompt),
        h("label", {}, words("style"), style),
        h("label", {}, words("model"), modelSelect),
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
          status,
          failure,
          ran,
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
      if (ours) return;
      pad.set(model.get("drawing"));
      changed(true);
    });
    listen(model, cleanups, "change:trace", () => pad.trace(model.get("trace")));
    pad.trace(model.get("trace"));
    cleanups.push(followTheme(root));
    hideStill(model);
    model.send({ do: "hello" });
    changed(true);
    return () => cleanups.forEach((stop) => stop());
  },
};

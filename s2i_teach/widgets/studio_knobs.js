// The studio's settings: what a learner chooses, and what Python says would run with it.

const TYPING = 600; // ms without a key until a prompt counts as finished

/** Seconds to as many places as tell something. */
function rounded(seconds) {
  if (seconds >= 10) return String(Math.round(seconds));
  return seconds.toFixed(seconds < 0.1 ? 2 : 1);
}

/** A plan of Python's as the words take it. */
function planWords(plan) {
  return {
    strength: plan.strength === null ? "" : plan.strength.toFixed(2),
    sigma: plan.sigma === null ? "" : plan.sigma.toFixed(2),
    start: Math.round(plan.start),
    left: Math.round(100 * plan.left),
    evaluations: plan.evaluations,
    seconds: plan.seconds === null ? "?" : rounded(plan.seconds),
  };
}

/** Which of three sentences a plan takes: a flow starts at σ, another family than diffusion at no noise at all. */
function ofKind(plan, { diffusion, flow, family }) {
  if (plan.start === null) return family;
  return plan.sigma === null ? diffusion : flow;
}

/**
 * Makes the settings.
 *
 * options: the widget's; changed(final) is told of each change, final where the hand has let go; modelChosen(entry) is told of
 * a model whose defaults have been put in place.
 * Returns {words, sliders, more} (three elements for three places), prompt (the input, for the focus), values() (of a request),
 * set(controls), setPlans({plans, key, own}), tellPlan(), newSeedUnlessLocked(), endTyping().
 */
function makeKnobs({ words, options, changed, modelChosen }) {
  let plans = null; // rows for plansKey
  let plansKey = "";
  let wanted = 0.75; // strength, as asked for
  let activeModel = options.model;

  const modelOf = (name) => options.models.find((entry) => entry.name === name);
  const key = () =>
    JSON.stringify([activeModel, Number(steps.value), schedulerSelect.value, Number(guidance.value) > 1, size()]);

  // What is typed

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
  const seed = typed(h("input", { type: "number", min: "0", max: "9007199254740991", step: "1", value: "0" }));
  // Who types a seed wants that one.
  seed.addEventListener("input", () => (lock.checked = true));
  const newSeed = () => (seed.value = String(Math.floor(Math.random() * 1_000_000)));
  const die = iconButton("die", words("die"), () => {
    newSeed();
    changed(true);
  });
  const lock = h("input", { type: "checkbox", checked: true });

  // What is chosen

  const style = h("select", { onchange: () => changed(true) });
  const modelSelect = h(
    "select",
    {
      onchange: () => {
        const entry = modelOf(modelSelect.value);
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
  const sizeSelect = h("select", { onchange: () => changed(true) });
  /** [width, height] in pixels, or null: the model's own. */
  const size = () => modelOf(activeModel).sizes[sizeSelect.selectedIndex] ?? null;
  const filled = h("input", { type: "checkbox", checked: true, onchange: () => changed(true) });
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
    const entry = modelOf(modelSelect.value);
    steps.value = String(entry.steps);
    guidance.value = String(entry.guidance);
    wanted = entry.strength ?? 1;
    // A flow starts at pure noise and knows no scheduler but its own; the distilled one takes no guidance either.
    // Another family than diffusion has nothing to set but the seed.
    strengthSlider.hidden = more.hidden = entry.flow || entry.family;
    guidanceSlider.hidden = entry.family || (entry.flow && entry.guidance === 1);
    stepsSlider.hidden = filledLabel.hidden = entry.family;
    styleLabel.hidden = entry.styles.length === 0;
    control.hidden = !entry.led;
    controlScale.value = String(entry.control_scale);
    controlStart.value = "0";
    controlEnd.value = "100";
    const before = style.value;
    style.replaceChildren(
      h("option", { value: "" }, words("no_style")),
      ...entry.styles.map((name) => h("option", { value: name }, name)),
    );
    style.value = entry.styles.includes(before) ? before : (entry.styles[0] ?? "");
    setSizes(entry);
    modelChosen(entry);
  }

  /** A model's sizes; the one chosen before stays where the model has it. */
  function setSizes(entry) {
    const before = sizeSelect.value;
    const named = entry.sizes.map((side) => side.join(" × "));
    sizeSelect.replaceChildren(
      ...named.map((name, i) => h("option", { value: name }, i ? words("several_things", { size: name }) : name)),
    );
    if (named.includes(before)) sizeSelect.value = before;
    sizeLabel.hidden = named.length < 2;
  }

  /** Choose a size, or the model's own. */
  function showSize(side) {
    const at = modelOf(activeModel).sizes.findIndex((one) => side && one.join() === side.join());
    sizeSelect.selectedIndex = Math.max(0, at);
  }

  // What slides

  function range(min, max, step, value, label, oninput) {
    return h("input", {
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
  }

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
    if (!row) plan.textContent = words("will_run_soon");
    else {
      const said = planWords(row);
      plan.textContent = ofKind(row, {
        diffusion: words("will_run", said),
        flow: words("will_run_flow", said),
        family: words("will_run_family", said),
      });
    }
    strength.setAttribute("aria-valuetext", `${strengthValue.textContent}. ${plan.textContent}`);
  }

  function setPlans(message) {
    plans = message.plans;
    plansKey = JSON.stringify(message.key);
    own.textContent = words("own_scheduler", { name: message.own });
    tellPlan();
  }

  // All of them

  function values() {
    const controls = {
      control_scale: Number(controlScale.value),
      control_start: Number(controlStart.value) / 100,
      control_end: Number(controlEnd.value) / 100,
    };
    return {
      model: activeModel,
      prompt: prompt.value,
      style: style.value,
      negative_prompt: negative.value,
      evaluations: Number(strength.value),
      steps: Number(steps.value),
      guidance: Number(guidance.value),
      seed: seed.value === "" ? null : Number(seed.value),
      size: size(),
      filled: filled.checked,
      scheduler: schedulerSelect.value,
      ...(modelOf(activeModel).led ? controls : {}),
    };
  }

  function set(controls) {
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
    showSize(controls.size);
    filled.checked = controls.filled;
    schedulerSelect.value = controls.scheduler;
    if (controls.control_scale !== undefined) {
      controlScale.value = String(controls.control_scale);
      controlStart.value = String(Math.round(100 * controls.control_start));
      controlEnd.value = String(Math.round(100 * controls.control_end));
    }
    tellPlan();
  }

  // Put together

  const slider = (label, input, value) =>
    h("div", { class: "s2i-slider" }, h("span", { "aria-hidden": "true" }, label), input, value);
  const strengthSlider = slider(words("strength"), strength, strengthValue);
  const guidanceSlider = slider(words("guidance"), guidance, guidanceValue);
  const stepsSlider = slider(words("steps"), steps, stepsValue);
  const styleLabel = h("label", {}, words("style"), style);
  const filledLabel = h("label", {}, filled, words("filled"));
  const sizeLabel = h("label", {}, words("size"), sizeSelect);
  const control = h(
    "div",
    { class: "s2i-control", role: "group", "aria-label": words("control"), hidden: true },
    slider(words("control_scale"), controlScale, controlScaleValue),
    slider(words("control_start"), controlStart, controlStartValue),
    slider(words("control_end"), controlEnd, controlEndValue),
  );
  const wordsElement = h(
    "div",
    { class: "s2i-tools s2i-words" },
    h("label", { class: "s2i-grow" }, words("prompt"), prompt),
    styleLabel,
    h("label", {}, words("model"), modelSelect),
    download,
  );
  const sliders = h(
    "div",
    { class: "s2i-sliders", role: "group", "aria-label": words("settings") },
    strengthSlider,
    plan,
    guidanceSlider,
    stepsSlider,
    control,
    h(
      "div",
      { class: "s2i-tools" },
      h("label", {}, words("seed"), seed),
      die,
      h("label", {}, lock, words("lock")),
      filledLabel,
      sizeLabel,
    ),
  );
  const more = h(
    "details",
    { class: "s2i-more" },
    h("summary", {}, words("more")),
    h(
      "div",
      { class: "s2i-tools" },
      h("label", { class: "s2i-grow" }, words("negative"), negative),
      h("label", {}, words("scheduler"), schedulerSelect),
    ),
  );

  modelSelect.value = options.model;
  modelDefaults();
  tellPlan();
  return {
    words: wordsElement,
    sliders,
    more,
    prompt,
    values,
    set,
    setPlans,
    tellPlan,
    newSeedUnlessLocked: () => lock.checked || newSeed(),
    endTyping,
  };
}

// The studio: Studio in studio.py. It decides nothing that Python does not confirm: what the sliders say comes from there.

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
    const state = stateOf(model);
    const me = {};
    state.leader = me;
    let shown = 0; // version of what the picture shows

    // Asking Python

    function changed(final) {
      state.leader = me;
      knobs.tellPlan();
      state.dirty = { final: final || (state.dirty !== null && state.dirty.final) };
      if (!state.polling || performance.now() - state.heard > DEAF) send();
    }

    function send() {
      if (state.dirty === null) return;
      if (state.dirty.final && state.version > 0) knobs.newSeedUnlessLocked();
      state.version += 1;
      state.sent = state.version;
      state.unseen = 0;
      model.set("request", { version: state.version, final: state.dirty.final, ...knobs.values() });
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

    function stop() {
      if (!enabled(stopButton)) return;
      state.dirty = null;
      tell(words("stopping"));
      model.send({ do: "stop" });
    }

    /** To a picture of the history, with its settings and drawing; what is being made or typed is given up. */
    function goBack(number) {
      state.leader = me;
      state.version += 1;
      state.dirty = null;
      knobs.endTyping();
      model.send({ do: "back", number, version: state.version });
    }

    // What Python says

    function heard(message) {
      state.heard = performance.now();
      const old = message.version !== undefined && message.version < shown;
      if (message.plans) knobs.setPlans(message);
      if (message.entries) for (const entry of message.entries) history.show(entry);
      if (message.entry) history.show(message.entry);
      if (message.gone) history.remove(message.gone);
      if (message.controls) setControls(message.controls, message.drawing);
      if (message.compare) picture.compareWith(message.compare);
      if (message.code) codeBox.show(message.code);
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
      if (message.preview) picture.preview(message.preview);
      if (message.progress) {
        const [step, total] = message.progress;
        progress.max = total;
        progress.value = step;
        tell(words("progress", { step, total, left: message.left.toFixed(1) }));
      }
      if (message.stopped) {
        restore();
        say(picture.current() ? words("stopped") : words("stopped_nothing"));
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
      else if (picture.frame.dataset.state === "result" && status.textContent === "") spoken.textContent = words("ready");
    }

    /** Away with a preview of what will not be finished. */
    function restore() {
      if (!picture.isPreview()) return;
      if (picture.current()) showPicture(picture.current());
      else picture.clear();
    }

    function showPicture(result) {
      picture.show(result, shown);
      const { plan } = result;
      const said = planWords(plan);
      ran.textContent = ofKind(plan, {
        diffusion: words("ran", said),
        flow: words("ran_flow", said),
        family: words("ran_family", said),
      });
      say(result.notes.join(" "));
      history.markCurrent(result.number);
      dim([saveButton, codeButton], result.number === undefined);
    }

    function setControls(controls, drawing) {
      if (drawing) {
        put(drawing);
        pad.set(drawing);
        model.save_changes();
      }
      knobs.set(controls);
    }

    // What is told, and the buttons below the picture

    const busy = (on) => {
      picture.frame.setAttribute("aria-busy", String(on));
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
    const enabled = (button) => button.getAttribute("aria-disabled") !== "true";
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

    const progress = h("progress", { max: 1, value: 0, class: "s2i-wide s2i-idle", "aria-label": words("progress_bar") });
    const telling = h("p", { class: "s2i-status" });
    const spoken = h("span", { class: "s2i-spoken", role: "status" });
    const status = h("p", { class: "s2i-status", role: "status" }, words("draw_or_choose"));
    const failure = h("p", { class: "s2i-error", role: "alert", hidden: true });
    const ran = h("p", { class: "s2i-status" });

    const ask = (what) => (event) =>
      enabled(event.currentTarget) &&
      model.send({ do: what, number: picture.current() && picture.current().number });
    const stopButton = h("button", { type: "button", "aria-disabled": "true", onclick: stop }, words("stop"));
    const saveButton = h("button", { type: "button", "aria-disabled": "true", onclick: ask("save") }, words("save"));
    const codeButton = h("button", { type: "button", "aria-disabled": "true", onclick: ask("code") }, words("show_code"));
    const sheetButton = h("button", { type: "button", onclick: ask("sheet") }, words("sheet"));
    const projector = makeProjector({ words, rootOf: () => root, on: options.projector });
    const link = h("a", { hidden: true });

    function offer(file) {
      link.href = file.data;
      link.download = file.name;
      link.textContent = words("download", { name: file.name });
      link.hidden = false;
    }

    // The parts

    const history = makeHistory({
      words,
      onBack: goBack,
      onKeep: (number, kept) => model.send({ do: "keep", number, kept }),
      onCompare: (number) => {
        const compared = picture.compared();
        if (compared && compared.number === number) picture.compareWith(null);
        else model.send({ do: "picture", number });
      },
    });
    const picture = makePicture({
      words,
      compareChanged: history.markCompared,
      focusAfter: (number) => (history.compareButton(number) || knobs.prompt).focus(),
    });
    const knobs = makeKnobs({
      words,
      options,
      changed,
      modelChosen: (entry) => entry.led || picture.hint(null),
    });
    const codeBox = makeCodeBox({ words, say, onClose: () => codeButton.focus() });
    const pad = makePad({
      drawing: model.get("drawing"),
      sketches: model.get("sketches"),
      words,
      onDraw: (drawing, final) => {
        if (!final && state.polling) return; // a growing stroke never waits in line
        put(drawing);
        if (final) drawn(drawing); // first, for a kernel that is gone can be asked nothing more
        changed(final);
      },
      ask: (request) => {
        if (request.do === "sketch" && request.how === "draw" && options.prompts[request.name])
          knobs.prompt.value = options.prompts[request.name];
        model.send(request);
      },
    });

    // Put together

    const root = h(
      "section",
      { class: "s2i s2i-studio", "aria-label": words("studio"), lang: words("code") },
      knobs.words,
      h(
        "div",
        { class: "s2i-columns" },
        pad.element,
        h(
          "div",
          { class: "s2i-side" },
          picture.frame,
          progress,
          h("div", { class: "s2i-tools" }, stopButton, saveButton, codeButton, sheetButton, projector.button, link),
          telling,
          status,
          spoken,
          failure,
          ran,
          picture.hintBox,
          picture.wipeTools,
          picture.comparison,
        ),
      ),
      knobs.sliders,
      knobs.more,
      codeBox.element,
      history.elements,
    );
    keepKeys(root);
    el.append(root);

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
    cleanups.push(hideStill(model), knobs.endTyping, projector.cleanup);
    // A page that opens anew goes on where the last one was; Python says if there is no picture yet.
    if (model.get("request").version) setControls(model.get("request"));
    state.polling = false;
    model.send({ do: "hello" });
    const drawn = watchKept({
      model,
      pad,
      words,
      cleanups,
      put: (drawing) => {
        put(drawing);
        pad.set(drawing);
        changed(true);
      },
    });
    return () => cleanups.forEach((stop) => stop());
  },
};

// The widget around the concept quiz and the survey: Quiz in quiz.py.

let quizViews = 0; // radio buttons of one name are one group on the whole page, and two views may show one quiz

export default {
  render({ model, el }) {
    const words = makeWords(model.get("words"));
    const cleanups = [];
    const isSurvey = model.get("state").kind === "survey"; // statements, of which none is right
    const group = `${model.get("still")}-${quizViews++}`;
    const chosen = new Map();
    let asked = false; // of Python and not answered yet

    const body = h("div");
    const failure = h("p", { class: "s2i-error", role: "alert", hidden: true });
    const root = h("section", { class: "s2i s2i-quiz", "aria-label": isSurvey ? words("survey") : words("quiz"), lang: words("code"), tabIndex: -1 }, body, failure);

    function fail(text) {
      failure.textContent = text;
      failure.hidden = false;
    }

    function question(row, number, total) {
      const choice = ([name, text]) => {
        const radio = h("input", { type: "radio", name: `${group}-${row.name}`, value: name });
        radio.checked = chosen.get(row.name) === name;
        radio.addEventListener("change", () => {
          chosen.set(row.name, name);
          failure.hidden = true;
          count();
        });
        return h("label", {}, radio, h("span", {}, text || words("quiz_unsure")));
      };
      const place = h("span", { class: "s2i-soft" }, words("quiz_place", { number, total }));
      return h("fieldset", {}, h("legend", {}, place, " ", row.text), ...row.options.map(choice));
    }

    const status = h("span", { class: "s2i-status", role: "status" });
    const send = h("button", { type: "button", onclick: () => handIn() }, words("quiz_hand_in"));

    function count() {
      const { questions } = model.get("state");
      status.textContent = words("quiz_count", { done: chosen.size, total: questions.length });
    }

    function handIn() {
      const { phase, questions } = model.get("state");
      const missing = questions.map((row, i) => [row, i + 1]).filter(([row]) => !chosen.has(row.name));
      if (missing.length) {
        fail(words("quiz_missing", { numbers: missing.map(([, number]) => number).join(", ") }));
        body.querySelector(`input[name="${group}-${missing[0][0].name}"]`).focus();
      } else if (!asked) {
        asked = true;
        failure.hidden = true;
        model.send({ do: "hand_in", phase, answers: Object.fromEntries(chosen) });
      }
    }

    function answer(label, [text, right, why]) {
      const mark = h("strong", { class: right ? "s2i-right" : "s2i-wrong" }, right ? words("quiz_right") : words("quiz_wrong"));
      const said = text ? [text, " ", mark, right ? "" : ` ${why}`] : [words("quiz_unsure")];
      return h("p", {}, h("span", { class: "s2i-soft" }, label), " ", ...said);
    }

    function result(row) {
      const [text, why] = row.right;
      return h(
        "li",
        {},
        h("p", { class: "s2i-heading" }, row.text),
        answer(words("quiz_before_was"), row.before),
        answer(words("quiz_after_was"), row.after),
        h("p", {}, h("span", { class: "s2i-soft" }, words("quiz_answer")), " ", text, " ", why),
        h("p", { class: "s2i-soft" }, words("quiz_lesson", { lesson: row.lesson, section: row.section })),
      );
    }

    function opinion(row) {
      const said = (label, text) => h("p", {}, h("span", { class: "s2i-soft" }, label), " ", text);
      const both = [said(words("quiz_before_was"), row.before), said(words("quiz_after_was"), row.after)];
      return h("li", {}, h("p", { class: "s2i-heading" }, row.text), ...both);
    }

    function intro(phase) {
      if (isSurvey) return phase === "before" ? words("survey_before") : words("survey_after");
      return phase === "before" ? words("quiz_before") : words("quiz_after");
    }

    function show() {
      const state = model.get("state");
      asked = false;
      failure.hidden = true;
      if (state.phase === "kept") {
        const { path } = state;
        const kept = isSurvey ? words("survey_kept", { path }) : words("quiz_kept", { path });
        body.replaceChildren(h("p", { role: "status" }, kept));
      } else if (state.phase === "done" && isSurvey) {
        body.replaceChildren(
          h("p", { role: "status" }, words("survey_result")),
          h("ol", {}, ...state.results.map(opinion)),
        );
      } else if (state.phase === "done") {
        const { before, after, gain } = state;
        body.replaceChildren(
          h("p", { role: "status" }, words("quiz_result", { before, after, gain })),
          h("ol", {}, ...state.results.map(result)),
        );
      } else {
        const rows = state.questions.map((row, i) => question(row, i + 1, state.questions.length));
        body.replaceChildren(h("p", {}, intro(state.phase)), ...rows, h("div", { class: "s2i-tools" }, send, status));
        count();
      }
    }

    keepKeys(root);
    el.append(root);
    listen(model, cleanups, "change:state", () => {
      chosen.clear();
      show();
      root.focus(); // what had the focus is gone
    });
    listen(model, cleanups, "msg:custom", (message) => {
      if (message.failure === undefined) return;
      asked = false;
      fail(message.failure);
    });
    show();
    cleanups.push(followTheme(root));
    cleanups.push(hideStill(model));
    model.send({ do: "hello" });
    return () => cleanups.forEach((stop) => stop());
  },
};

// The widget around two pictures and their sketch: BlindRating in blind_rating.py.

const VOTE_KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "tie" };

export default {
  render({ model, el }) {
    const words = makeWords(model.get("words"));
    const cleanups = [];

    const picture = (name, onclick) => {
      const image = h("img", { class: "s2i-picture", alt: name });
      const frame = h("div", { class: onclick ? "s2i-frame s2i-choice" : "s2i-frame", onclick }, image);
      return { image, figure: h("figure", {}, h("figcaption", {}, name), frame) };
    };
    const left = picture(words("left_picture"), () => vote("left"));
    const sketch = picture(words("the_sketch"));
    const right = picture(words("right_picture"), () => vote("right"));

    const button = (choice, text, keys) =>
      h("button", { type: "button", title: keys, "aria-keyshortcuts": keys, onclick: () => vote(choice) }, text);
    const votes = [
      button("left", words("vote_left"), "ArrowLeft"),
      button("tie", words("vote_tie"), "ArrowDown"),
      button("right", words("vote_right"), "ArrowRight"),
    ];
    const undo = h("button", { type: "button", title: "U", "aria-keyshortcuts": "u", onclick: () => takeBack() }, words("undo_vote"));
    const count = h("span", { class: "s2i-status", "aria-hidden": "true" });
    const bar = h("progress", { "aria-label": words("votes_done") });
    const spoken = h("p", { class: "s2i-spoken", role: "status" });
    const failure = h("p", { class: "s2i-error", role: "alert", hidden: true });
    const pair = h(
      "div",
      {},
      h("p", { class: "s2i-heading" }, words("which_better")),
      h("p", { class: "s2i-soft" }, words("rating_keys")),
      h("div", { class: "s2i-panels" }, left.figure, sketch.figure, right.figure),
      h("div", { class: "s2i-tools s2i-votes", role: "group", "aria-label": words("which_better") }, ...votes),
    );
    const ends = h("div", { hidden: true });
    const root = h(
      "section",
      { class: "s2i s2i-rating", "aria-label": words("rating"), lang: words("code"), tabIndex: -1 },
      pair,
      ends,
      h("div", { class: "s2i-tools" }, undo, count),
      bar,
      spoken,
      failure,
    );

    // What is asked of Python and not answered yet; a second press of a key must not vote on the next pair unseen.
    let asked = false;

    function ask(request) {
      const { done } = model.get("state");
      if (asked) return;
      asked = true;
      failure.hidden = true;
      model.send({ ...request, done });
    }

    function vote(choice) {
      const { done, total } = model.get("state");
      if (done < total) ask({ do: "vote", vote: choice });
    }

    function takeBack() {
      if (model.get("state").done) ask({ do: "undo" });
    }

    function table(rows) {
      const names = [words("rank_settings"), words("rank_strength"), words("rank_low"), words("rank_high"), words("rank_wins"), words("rank_votes")];
      return h(
        "div",
        { class: "s2i-scroll", tabIndex: 0, role: "region", "aria-label": words("ranking") },
        h(
          "table",
          {},
          h("thead", {}, h("tr", {}, ...names.map((name) => h("th", { scope: "col" }, name)))),
          h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map((cell) => h("td", {}, cell))))),
        ),
      );
    }

    function needed(votes) {
      if (votes < 0) return words("rating_equal");
      return votes ? words("rating_needed", { n: votes }) : words("rating_enough");
    }

    function show() {
      const state = model.get("state");
      const { done, total } = state;
      asked = false;
      const over = done === total;
      const held = pair.contains(document.activeElement);
      pair.hidden = over;
      ends.hidden = !over;
      count.textContent = words("votes_count", { done, total });
      bar.max = total;
      bar.value = done;
      undo.setAttribute("aria-disabled", String(!done));
      if (over) {
        ends.replaceChildren(
          h("p", {}, words("rating_over", { path: state.path })),
          table(state.ranking),
          h("p", {}, needed(state.needed)),
          h("p", { class: "s2i-soft" }, words("rank_meaning")),
        );
        if (held) undo.focus(); // what had the focus is gone
      } else {
        left.image.src = state.left;
        sketch.image.src = state.sketch;
        right.image.src = state.right;
      }
    }

    root.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      const inTable = event.target.closest(".s2i-scroll"); // there arrows move the table
      if (event.key in VOTE_KEYS && !inTable && model.get("state").done < model.get("state").total) {
        event.preventDefault();
        vote(VOTE_KEYS[event.key]);
      } else if (event.key.toLowerCase() === "u") {
        event.preventDefault();
        takeBack();
      }
    });
    keepKeys(root);
    el.append(root);
    // A click anywhere readies the keys.
    root.addEventListener("click", (event) => event.target.closest("button") || root.focus({ preventScroll: true }));

    listen(model, cleanups, "change:state", () => {
      const before = bar.value;
      show();
      const { done, total, last } = model.get("state");
      const names = { left: words("vote_left"), right: words("vote_right"), tie: words("vote_tie") };
      spoken.textContent =
        done < before ? words("vote_undone", { done, total }) : words("vote_counted", { vote: names[last], done, total });
    });
    listen(model, cleanups, "msg:custom", (message) => {
      if (message.failure === undefined) return;
      asked = false;
      failure.textContent = message.failure;
      failure.hidden = false;
    });
    show();
    cleanups.push(followTheme(root));
    cleanups.push(hideStill(model));
    model.send({ do: "hello" });
    return () => cleanups.forEach((stop) => stop());
  },
};

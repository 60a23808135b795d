// The studio's history: a card for each picture, newest first.

/**
 * Makes the history. onBack(number), onKeep(number, kept) and onCompare(number) are told of a card's buttons.
 * Returns {elements, show(entry), remove(number), markCurrent(number), markCompared(number), compareButton(number)}.
 */
function makeHistory({ words, onBack, onKeep, onCompare }) {
  const cards = new Map(); // number → its card
  const strip = h("ol", { class: "s2i-strip" });
  const noHistory = h("p", { class: "s2i-status" }, words("no_history"));

  function show(entry) {
    noHistory.hidden = true;
    if (cards.has(entry.number)) {
      cards.get(entry.number).querySelector(".s2i-icon").setAttribute("aria-pressed", String(entry.kept));
      return;
    }
    const star = iconButton("star", words("keep"), () =>
      onKeep(entry.number, star.getAttribute("aria-pressed") !== "true"),
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
          onclick: () => onBack(entry.number),
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
            onclick: () => onCompare(entry.number),
          },
          words("compare"),
        ),
      ),
    );
    strip.prepend(card);
    cards.set(entry.number, card);
  }

  function remove(number) {
    const card = cards.get(number);
    if (card) card.remove();
    cards.delete(number);
  }

  function markCurrent(number) {
    for (const [each, card] of cards) card.classList.toggle("s2i-current", each === number);
  }

  const compareButton = (number) => cards.has(number) && cards.get(number).querySelector(".s2i-compare");

  function markCompared(number) {
    for (const each of cards.keys()) compareButton(each).setAttribute("aria-pressed", String(each === number));
  }

  return {
    elements: [h("h3", { class: "s2i-heading" }, words("history")), noHistory, strip],
    show,
    remove,
    markCurrent,
    markCompared,
    compareButton,
  };
}

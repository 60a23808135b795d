// The studio's picture: the one on show, the hint that led it, and another one under a wipe.

/**
 * Makes the picture's place.
 *
 * compareChanged(number) is told which picture lies under the wipe, null where none does; focusAfter(number) moves the focus
 * away from the button that ends comparing with that picture, and goes.
 * Returns the elements frame, hintBox, wipeTools and comparison, and current(), compared(), preview(url), isPreview(), show(result,
 * version), clear(), hint(url), compareWith(result).
 */
function makePicture({ words, compareChanged, focusAfter }) {
  let current = null; // the result on show
  let compared = null; // the one under the wipe

  const picture = h("img", { class: "s2i-picture", alt: words("no_picture") });
  const under = h("img", { class: "s2i-picture s2i-under", alt: "", hidden: true });
  const frame = h("div", { class: "s2i-frame", "data-state": "nothing", "aria-busy": "false" }, picture, under);
  const hintPicture = h("img", { class: "s2i-hint", alt: words("hint") });
  const hintBox = h("details", { class: "s2i-more", hidden: true }, h("summary", {}, words("show_hint")), hintPicture);

  /** What leads the network, if it is led. */
  function hint(url) {
    hintBox.hidden = !url;
    if (url) hintPicture.src = url;
    else hintPicture.removeAttribute("src");
  }

  function preview(url) {
    picture.src = url;
    picture.alt = words("preview");
    frame.dataset.state = "preview";
  }

  function show(result, version) {
    current = result;
    picture.src = result.picture;
    picture.alt = result.about;
    frame.dataset.state = "result";
    frame.dataset.version = String(version);
    frame.dataset.number = String(result.number || "");
    hint(result.hint);
    wipe();
  }

  function clear() {
    picture.removeAttribute("src");
    picture.alt = words("no_picture");
    frame.dataset.state = "nothing";
  }

  // Comparing

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
        focusAfter(compared.number);
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
    compareChanged(result ? result.number : null);
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

  return {
    frame,
    hintBox,
    wipeTools,
    comparison,
    current: () => current,
    compared: () => compared,
    preview,
    isPreview: () => frame.dataset.state === "preview",
    show,
    clear,
    hint,
    compareWith,
  };
}

// The studio's box with the Python of a picture.

/** Makes the box. say(sentence) tells how copying went; onClose() moves the focus away from the button that goes. */
function makeCodeBox({ words, say, onClose }) {
  const code = h("pre", { tabindex: "0", "aria-label": words("code_of_picture") });
  const element = h("div", { class: "s2i-code", hidden: true }, code);
  const copy = h("button", { type: "button", onclick: copyCode }, words("copy"));
  const close = h(
    "button",
    {
      type: "button",
      onclick: () => {
        onClose();
        element.hidden = true;
      },
    },
    words("close"),
  );
  element.append(h("div", { class: "s2i-tools" }, copy, close));

  function show(text) {
    code.textContent = text;
    element.hidden = false;
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

  return { element, show };
}

// The studio on a wall: large letters, strong contrast, pad, picture and sliders in view together.

/**
 * Makes the button that turns it on and off.
 *
 * The element that grows, rootOf(), fills the screen where the page allows that; elsewhere, as in a frame without that right, it grows
 * where it stands. Leaving the full screen ends it as well. Returns the element button, and set(on), cleanup().
 */
function makeProjector({ words, rootOf, on }) {
  const button = h(
    "button",
    { type: "button", "aria-pressed": "false", title: words("projector_about"), onclick: () => set(!isOn(), true) },
    words("projector"),
  );
  const isOn = () => button.getAttribute("aria-pressed") === "true";

  function set(wanted, byHand = false) {
    const root = rootOf();
    button.setAttribute("aria-pressed", String(wanted));
    root.classList.toggle("s2i-projector", wanted);
    const fills = document.fullscreenElement === root;
    if (wanted && byHand && !fills && root.requestFullscreen) {
      // A refusal, by a frame that may not fill the screen, changes nothing: it has grown in its place.
      root.requestFullscreen().catch(() => root.scrollIntoView({ block: "start" }));
    }
    if (!wanted && fills) document.exitFullscreen();
  }

  let filled = false;
  const left = () => {
    const fills = document.fullscreenElement === rootOf();
    if (filled && !fills) set(false);
    filled = fills;
  };
  document.addEventListener("fullscreenchange", left);
  if (on) requestAnimationFrame(() => set(true));
  return { button, set, cleanup: () => document.removeEventListener("fullscreenchange", left) };
}

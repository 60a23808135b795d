// The widget around the pad: SketchPad in sketch_pad.py.

export default {
  render({ model, el }) {
    const words = makeWords(model.get("words"));
    const cleanups = [];
    const pad = makePad({
      drawing: model.get("drawing"),
      sketches: model.get("sketches"),
      words,
      masking: model.get("masking"),
      onDraw: (drawing, final) => {
        if (!final) return;
        model.set("drawing", drawing);
        model.save_changes();
        drawn(drawing);
      },
      ask: (request) => model.send(request),
    });
    const root = h("section", { class: "s2i s2i-alone", "aria-label": words("pad"), lang: words("code") }, pad.element);
    keepKeys(root);
    el.append(root);
    listen(model, cleanups, "change:drawing", () => pad.set(model.get("drawing")));
    listen(model, cleanups, "change:trace", () => pad.trace(model.get("trace")));
    listen(model, cleanups, "msg:custom", (message) => message.failure !== undefined && pad.complain(message.failure));
    pad.trace(model.get("trace"));
    cleanups.push(followTheme(root));
    cleanups.push(hideStill(model));
    model.send({ do: "hello" });
    const drawn = watchKept({
      model,
      pad,
      words,
      cleanups,
      put: (drawing) => {
        model.set("drawing", drawing);
        model.save_changes();
      },
    });
    return () => cleanups.forEach((stop) => stop());
  },
};

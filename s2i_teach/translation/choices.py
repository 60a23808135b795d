"""The words that a setting is chosen from. Nothing heavy is imported: the command line lists them before torch loads."""

PREPARE = ("lines", "filled", "photo", "picture")
"""What is made of the sketch's page."""
FIT = ("pad", "crop")
"""How a sketch is brought to the picture's size."""
CONTROLS = ("control_scale", "control_start", "control_end")
"""Settings of models that are led by the sketch."""
STYLES = ("style", "style_weight")
"""A style that was trained (:mod:`s2i_teach.models.style`), and how strong it is."""

"""Where sketches come from: fetched, drawn by lot, cleaned, and written down."""

"""From a sketch to a picture: what will run, the run, and its record."""

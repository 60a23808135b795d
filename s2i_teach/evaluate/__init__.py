"""How good a picture is: to the sketch, to the prompt, to the eye, each with its uncertainty."""

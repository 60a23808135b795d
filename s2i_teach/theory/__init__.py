"""What a student builds by hand: each idea one short file, torch alone. Tests prove each equal to diffusers."""

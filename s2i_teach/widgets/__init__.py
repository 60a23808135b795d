"""What a notebook shows and what a learner touches."""

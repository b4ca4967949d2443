"""A tiny Gemma 3n, trained from scratch on a closed world of pictures, speech, videos and text."""

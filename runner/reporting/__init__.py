"""Says what came out: on the screen, in a failing case's text, in the JSON record."""

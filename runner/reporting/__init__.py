"""Reports results: the summary on the screen, the text of a failure, the JSON record. Escapes text of targets."""

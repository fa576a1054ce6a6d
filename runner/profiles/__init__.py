"""The profiles that come with the suite: one YAML file for each kind of server, without code."""

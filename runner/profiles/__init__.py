"""The profiles that come with the suite: data only, one YAML file a kind of server."""

"""The pytest side: options, collection of YAML files, items, reports. Each module is one concern; hooks are thin."""

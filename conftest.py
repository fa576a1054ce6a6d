"""Makes ``pytest cases`` run the YAML cases; the plugin is ``runner/plugin``."""

pytest_plugins = ["runner.plugin.hooks"]

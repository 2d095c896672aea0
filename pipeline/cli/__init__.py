"""The command ``tidegauge``: one module a subcommand, options in, rows out."""

"""The settings in groups, as they stand in `docs/settings.md`. Each is a part of `proxy.settings.Settings`, which is flat."""

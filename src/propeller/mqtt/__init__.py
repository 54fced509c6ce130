"""The link to an MQTT broker: one connection that comes back by itself, for any program."""

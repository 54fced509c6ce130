"""The link to an MQTT broker: one connection that comes back, whoever uses it."""

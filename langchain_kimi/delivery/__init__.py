"""How media reach an endpoint: prepared, sampled or uploaded, before the request is built."""

"""How media reach an endpoint: prepared, sampled or uploaded, before the request is built."""

from langchain_kimi.delivery.conversation import Route, adeliver, deliver
from langchain_kimi.delivery.uploads import Uploads

__all__ = ["Route", "Uploads", "adeliver", "deliver"]

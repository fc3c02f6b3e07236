"""Tests of delivery: how media reach each endpoint."""

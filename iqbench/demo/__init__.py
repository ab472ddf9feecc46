"""The demo: embedded photographs, degraded, and restored by classical methods."""

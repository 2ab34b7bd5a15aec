"""Models for microcontrollers: a program as C tables and buffers, the firmware around it, and where it runs."""

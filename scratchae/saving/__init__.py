"""Models on disk: one safetensors file, described in JSON, without pickle."""

// This file makes the compiler accept functions whose bodies are elsewhere.

"""What a todo is: frozen types and their rules. Standard library and msgspec only."""

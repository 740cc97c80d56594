"""How it looks: an Issue and a theme become one frozen Rendered, and a Rendered becomes each person's mail."""

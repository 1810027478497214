"""Parts that fit any width and font size: text, buttons, rows, and what scrolls."""

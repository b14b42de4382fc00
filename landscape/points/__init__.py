"""Critical points: constructed, refined, and what is recorded of them."""

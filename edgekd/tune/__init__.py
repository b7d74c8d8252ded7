"""Search for better recipes: quality against cost, by Optuna, with workers as processes."""

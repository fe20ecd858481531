"""`python -m train report`: what runs and a model are worth, as one self-contained HTML page."""

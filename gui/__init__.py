"""The web page: an HTTP client of the API, like any other."""

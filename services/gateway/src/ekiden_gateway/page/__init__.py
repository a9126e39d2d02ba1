"""The web page: what a person sees and does in a browser. Its buttons say what the routes of the API say."""

"""Stories -> Atom, JSON Feed, OPML and HTML files."""

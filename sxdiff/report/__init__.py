"""The report and its views: build the report, then write it as JSON, text or HTML."""

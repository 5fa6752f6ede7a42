"""Every picture and page: results in, figures out."""

"""DICOMweb: search, fetch and send to a PACS. No connection is opened unless the user has configured a server."""

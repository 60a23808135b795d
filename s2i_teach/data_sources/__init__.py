"""Where pictures come from: the web, Google Drive, archives, folders; sampled and cleaned."""

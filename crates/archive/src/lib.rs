//! The archive in object storage: the layout of its files, the chain of manifests, and the reader of the log.
